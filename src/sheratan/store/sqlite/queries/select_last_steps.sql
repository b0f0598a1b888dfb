SELECT number, max(step), entry FROM step WHERE number IN (SELECT value FROM json_each(?)) GROUP BY number
