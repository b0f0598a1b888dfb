SELECT DISTINCT node_job.run, node_job.node
FROM node_job
JOIN pruned ON pruned.number = node_job.job
WHERE node_job.run IN (SELECT value FROM json_each(?))
