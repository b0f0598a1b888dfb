SELECT * FROM partition_name WHERE tenant = ?1 AND name = ?2
