SELECT * FROM timer WHERE (due_us, number) > (?1, ?2) ORDER BY due_us, number LIMIT ?3
