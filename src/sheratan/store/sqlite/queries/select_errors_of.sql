SELECT result.number, failure.error
FROM result
JOIN failure ON failure.number = result.number AND failure.entry = result.entry
WHERE result.state = 'failed' AND result.number IN (SELECT value FROM json_each(?))
