SELECT number FROM result WHERE number > ?1 ORDER BY number LIMIT ?2
