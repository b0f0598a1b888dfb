SELECT node_job.node, node_job.item = -2, coalesce(result.state, pruned.state, 'open'), count(*)
FROM node_job
LEFT JOIN result ON result.number = node_job.job
LEFT JOIN pruned ON pruned.number = node_job.job
WHERE node_job.run = ?1
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
