DELETE FROM after WHERE number IN (SELECT value FROM json_each(?))
