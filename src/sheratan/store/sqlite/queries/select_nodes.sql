SELECT * FROM node WHERE run IN (SELECT value FROM json_each(?)) ORDER BY run, name
