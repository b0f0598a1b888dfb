SELECT * FROM pruned WHERE number IN (SELECT value FROM json_each(?))
