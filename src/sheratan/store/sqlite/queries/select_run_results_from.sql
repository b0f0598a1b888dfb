SELECT number FROM run_result WHERE number > ?1 ORDER BY number LIMIT ?2
