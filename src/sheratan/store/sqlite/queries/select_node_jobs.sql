SELECT node_job.*, result.state, result.finished_us
FROM node_job
LEFT JOIN result ON result.number = node_job.job
WHERE node_job.run IN (SELECT value FROM json_each(?))
ORDER BY node_job.run, node_job.node, node_job.item
