-- Idempotency keys of runs; nodes that a run has taken over from another one; entries that mention an ended run.

CREATE TABLE run_key (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

-- The run that a node was taken over from: there are its jobs, so none of them is copied.
ALTER TABLE node ADD COLUMN source INTEGER;

CREATE TABLE run_mention (
    number INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (number, entry)
) STRICT, WITHOUT ROWID;
