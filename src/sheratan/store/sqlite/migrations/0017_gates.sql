-- Keys of gates: the job that waits under the key of a debounce, or the newest one of a throttle's period. From
-- until_us on a row means nothing, and is taken out by the index when others come.

CREATE TABLE gate (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    what TEXT NOT NULL,
    key BLOB NOT NULL,
    number INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, what, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX gate_by_end ON gate (until_us);
