SELECT * FROM pruned_run WHERE number IN (SELECT value FROM json_each(?))
