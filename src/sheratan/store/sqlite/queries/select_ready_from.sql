SELECT * FROM ready WHERE (lane, priority, number) > (?1, ?2, ?3) ORDER BY lane, priority, number LIMIT ?4
