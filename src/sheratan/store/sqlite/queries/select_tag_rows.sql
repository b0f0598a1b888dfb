SELECT tag, number FROM tag WHERE number IN (SELECT value FROM json_each(?)) ORDER BY number, tag
