SELECT * FROM timer WHERE due_us <= ?1 ORDER BY due_us, number LIMIT ?2
