DELETE FROM failure WHERE number IN (SELECT value FROM json_each(?))
