SELECT job.number
FROM job
JOIN lane ON lane.lane = job.lane
LEFT JOIN result ON result.number = job.number
LEFT JOIN lease ON lease.number = job.number
LEFT JOIN blocked ON blocked.number = job.number
LEFT JOIN timer ON timer.number = job.number
WHERE job.number < ?1
    AND (?2 IS NULL OR ?2 = CASE
        WHEN result.number IS NOT NULL THEN result.state
        WHEN lease.number IS NOT NULL THEN 'running'
        WHEN blocked.number IS NOT NULL THEN 'blocked'
        WHEN timer.what = 3 THEN 'waiting'
        WHEN timer.number IS NOT NULL THEN 'scheduled'
        ELSE 'queued'
    END)
    AND (?3 IS NULL OR lane.queue = ?3)
    AND (?4 IS NULL OR lane.kind = ?4)
ORDER BY job.number DESC
LIMIT ?5
