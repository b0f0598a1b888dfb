SELECT * FROM partition_name WHERE number > ?1 ORDER BY number LIMIT ?2
