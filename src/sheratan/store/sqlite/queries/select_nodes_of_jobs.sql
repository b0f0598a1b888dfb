SELECT * FROM node_job WHERE job IN (SELECT value FROM json_each(?)) ORDER BY job, run
