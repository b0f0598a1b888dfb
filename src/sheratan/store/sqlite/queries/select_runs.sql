SELECT * FROM run WHERE number IN (SELECT value FROM json_each(?))
