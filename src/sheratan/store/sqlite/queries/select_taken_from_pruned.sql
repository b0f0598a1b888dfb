SELECT node.source, node.run
FROM node
JOIN pruned_run ON pruned_run.number = node.source
LEFT JOIN run_result ON run_result.number = node.run
WHERE
    node.source IN (SELECT value FROM json_each(?))
    AND (run_result.entry IS NULL OR run_result.entry > pruned_run.pruned_by)
ORDER BY node.source, node.run
