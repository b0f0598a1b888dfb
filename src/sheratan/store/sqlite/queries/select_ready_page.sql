SELECT * FROM ready WHERE lane = ?1 AND (priority, number) > (?2, ?3) ORDER BY priority, number LIMIT ?4
