-- Code that changes under running jobs: versions of a kind side by side, jobs that are blocked until other code is on
-- duty, and which code has blocked a job; that is kept until the job ends, for it must not get that code again.

CREATE TABLE lane_by_version (
    lane INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    queue TEXT NOT NULL,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (tenant, queue, kind, version)
) STRICT;

INSERT INTO lane_by_version SELECT lane, tenant, queue, kind, 1 FROM lane;

DROP TABLE lane;

ALTER TABLE lane_by_version RENAME TO lane;

ALTER TABLE blocked ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE blocked ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocked ADD COLUMN steps INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocked ADD COLUMN reason TEXT NOT NULL DEFAULT 'after';

CREATE TABLE blocking_code (
    number INTEGER NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (number, code)
) STRICT, WITHOUT ROWID;
