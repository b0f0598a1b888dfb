SELECT run, count(*) FROM node_job WHERE run > ?1 GROUP BY run ORDER BY run LIMIT ?2
