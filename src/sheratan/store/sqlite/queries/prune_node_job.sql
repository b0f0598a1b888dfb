DELETE FROM node_job WHERE run IN (SELECT value FROM json_each(?))
