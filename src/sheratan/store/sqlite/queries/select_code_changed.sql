SELECT blocked.*
FROM blocked
JOIN job ON job.number = blocked.number
JOIN lane ON lane.lane = job.lane & 1048575
WHERE blocked.reason = 'code_changed' AND blocked.number > ?3 AND lane.kind = ?1 AND lane.version = ?2
ORDER BY blocked.number LIMIT ?4
