DELETE FROM tag WHERE number IN (SELECT value FROM json_each(?))
