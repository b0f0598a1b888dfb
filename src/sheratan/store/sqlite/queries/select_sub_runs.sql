SELECT run.parent, run.node, run.item, run.number, run_result.state
FROM run
LEFT JOIN run_result ON run_result.number = run.number
WHERE run.parent IN (SELECT value FROM json_each(?1))
ORDER BY run.parent, run.node, run.item
LIMIT ?2
