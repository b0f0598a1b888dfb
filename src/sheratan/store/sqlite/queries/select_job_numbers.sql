SELECT number FROM job WHERE number > ?1 ORDER BY number LIMIT ?2
