SELECT * FROM blocked WHERE number > ?1 ORDER BY number LIMIT ?2
