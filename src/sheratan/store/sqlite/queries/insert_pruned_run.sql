INSERT INTO pruned_run
SELECT
    run.number, run.salt, run.tenant, run.workflow, run.created_us, run.parent, run_result.state, run_result.finished_us,
    run_result.entry, ?1,
    (SELECT count(*) FROM node WHERE node.run = run_result.number),
    (SELECT count(*) FROM node_job WHERE node_job.run = run_result.number)
FROM run
JOIN run_result ON run_result.number = run.number
WHERE run.number IN (SELECT value FROM json_each(?2))
