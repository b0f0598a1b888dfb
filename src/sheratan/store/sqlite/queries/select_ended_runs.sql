SELECT run.number, run.tenant, run.workflow, run.created_us, run_result.finished_us, run_result.jobs
FROM run_result
JOIN run ON run.number = run_result.number
WHERE run_result.number > ?
ORDER BY run_result.number
LIMIT ?
