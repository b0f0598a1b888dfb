SELECT run, count(*) FROM node WHERE run > ?1 GROUP BY run ORDER BY run LIMIT ?2
