SELECT result.number, failure.error
FROM result
JOIN failure ON failure.number = result.number AND failure.entry = result.entry
WHERE result.state = 'failed'
ORDER BY result.number
