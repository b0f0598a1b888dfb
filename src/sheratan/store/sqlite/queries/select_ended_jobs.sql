SELECT job.number, job.lane, job.created_us, result.finished_us
FROM result
JOIN job ON job.number = result.number
WHERE result.number > ?
ORDER BY result.number
LIMIT ?
