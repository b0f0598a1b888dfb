SELECT job FROM node_job
WHERE run = ?1 AND node = ?2 AND item > -2
ORDER BY item LIMIT ?3
