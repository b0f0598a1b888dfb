-- Partitions: whose or what a job is, of many alike. A lane number has the partition's number above its first 20 bits,
-- so jobs without one have the rows that they had. What is set for each partition of a queue or a kind, and how far
-- each partition has used up its rate.

CREATE TABLE partition_name (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (tenant, name)
) STRICT;

ALTER TABLE flow ADD COLUMN partition_concurrency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flow ADD COLUMN partition_rate_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flow ADD COLUMN partition_rate_period_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flow ADD COLUMN partition_rate_burst INTEGER NOT NULL DEFAULT 0;

CREATE TABLE partition_pace (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    number INTEGER NOT NULL,
    pace_us INTEGER NOT NULL,
    part INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject, number)
) STRICT, WITHOUT ROWID;
