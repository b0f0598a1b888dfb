DELETE FROM node WHERE run IN (SELECT value FROM json_each(?))
