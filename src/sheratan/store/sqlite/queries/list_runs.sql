SELECT run.number
FROM run
LEFT JOIN run_open ON run_open.number = run.number
LEFT JOIN run_result ON run_result.number = run.number
WHERE run.number < ?1
    AND (?2 IS NULL OR coalesce(run_open.state, run_result.state) = ?2)
    AND (?3 IS NULL OR run.workflow = ?3)
ORDER BY run.number DESC
LIMIT ?4
