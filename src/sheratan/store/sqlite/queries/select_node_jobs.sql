SELECT node_job.*, coalesce(result.state, pruned.state), coalesce(result.finished_us, pruned.finished_us)
FROM node_job
LEFT JOIN result ON result.number = node_job.job
LEFT JOIN pruned ON pruned.number = node_job.job
WHERE node_job.run IN (SELECT value FROM json_each(?))
ORDER BY node_job.run, node_job.node, node_job.item
