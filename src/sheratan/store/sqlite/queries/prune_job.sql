DELETE FROM job WHERE number IN (SELECT value FROM json_each(?)) RETURNING payload
