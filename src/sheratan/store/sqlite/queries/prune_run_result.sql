DELETE FROM run_result WHERE number IN (SELECT value FROM json_each(?)) RETURNING payload
