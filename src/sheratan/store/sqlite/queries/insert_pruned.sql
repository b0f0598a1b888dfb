INSERT INTO pruned
SELECT
    job.number, job.salt, job.lane, job.created_us, job.submitted_by, result.state, result.finished_us, result.entry, ?1,
    (SELECT count(*) FROM after WHERE number = job.number),
    (SELECT count(*) FROM failure WHERE number = job.number),
    (SELECT count(*) FROM step WHERE number = job.number),
    (SELECT count(*) FROM tag WHERE number = job.number)
FROM job
JOIN result ON result.number = job.number
WHERE job.number IN (SELECT value FROM json_each(?2))
