SELECT number FROM dead_letter WHERE number > ?1 ORDER BY number LIMIT ?2
