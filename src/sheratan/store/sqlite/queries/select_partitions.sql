SELECT * FROM partition_name WHERE number IN (SELECT value FROM json_each(?1))
