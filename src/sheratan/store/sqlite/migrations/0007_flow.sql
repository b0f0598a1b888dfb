-- What is set for queues and kinds: pauses, and limits on how many of their jobs run and how quickly they start; how
-- far each rate is used up; and what a job counts for where a rate limits its start.

CREATE TABLE flow (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    paused INTEGER NOT NULL,
    reason TEXT NOT NULL,
    concurrency INTEGER NOT NULL,
    rate_count INTEGER NOT NULL,
    rate_period_us INTEGER NOT NULL,
    rate_burst INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    declared INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject)
) STRICT, WITHOUT ROWID;

INSERT INTO flow
SELECT tenant, 'queue:' || queue, CASE paused WHEN 0 THEN 0 ELSE entry END, reason, 0, 0, 0, 0, 1, 0, entry
FROM queue;

DROP TABLE queue;

CREATE TABLE pace (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    pace_us INTEGER NOT NULL,
    part INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject)
) STRICT, WITHOUT ROWID;

ALTER TABLE job ADD COLUMN cost INTEGER NOT NULL DEFAULT 1;
