SELECT wanted.value
FROM json_each(?) AS wanted
WHERE
    EXISTS (
        SELECT 1
        FROM node_job
        JOIN job ON job.number = node_job.job
        WHERE node_job.run = wanted.value
    )
    OR EXISTS (
        SELECT 1
        FROM run
        JOIN run AS parent ON parent.number = run.parent
        WHERE run.number = wanted.value
    )
    OR EXISTS (
        SELECT 1
        FROM node
        JOIN run_open ON run_open.number = node.run
        WHERE node.source = wanted.value
    )
    OR EXISTS (SELECT 1 FROM schedule WHERE last_run = wanted.value AND state <> 'deleted')
