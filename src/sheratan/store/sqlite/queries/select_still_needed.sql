SELECT wanted.value
FROM json_each(?) AS wanted
WHERE
    EXISTS (SELECT 1 FROM dead_letter WHERE number = wanted.value)
    OR EXISTS (
        SELECT 1
        FROM after
        WHERE parent = wanted.value AND NOT EXISTS (SELECT 1 FROM result WHERE number = after.number)
    )
    OR EXISTS (
        SELECT 1
        FROM job
        JOIN job AS parent ON parent.number = job.submitted_by
        WHERE job.number = wanted.value AND NOT EXISTS (SELECT 1 FROM result WHERE number = parent.number)
    )
    OR EXISTS (
        SELECT 1
        FROM node_job
        JOIN run_open ON run_open.number = node_job.run
        WHERE node_job.job = wanted.value
    )
    OR EXISTS (
        SELECT 1
        FROM node_job
        JOIN node ON node.source = node_job.run AND node.name = node_job.node
        JOIN run_open ON run_open.number = node.run
        WHERE node_job.job = wanted.value
    )
    OR EXISTS (SELECT 1 FROM schedule WHERE last_job = wanted.value AND state <> 'deleted')
