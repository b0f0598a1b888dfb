-- Runs of workflows: what was asked for, where they stand, what was decided about their nodes, and the nodes' jobs.

CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    salt INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    workflow TEXT NOT NULL,
    version BLOB NOT NULL,
    plan BLOB NOT NULL,
    created_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    started_by TEXT NOT NULL,
    origin INTEGER,
    input BLOB,
    payload BLOB
) STRICT;

CREATE TABLE run_open (
    number INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    ending TEXT NOT NULL,
    keeps INTEGER NOT NULL,
    jobs INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    entry INTEGER NOT NULL
) STRICT;

CREATE TABLE run_result (
    number INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    finished_us INTEGER NOT NULL,
    output BLOB,
    payload BLOB,
    entry INTEGER NOT NULL
) STRICT;

CREATE TABLE node (
    run INTEGER NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    items INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE node_job (
    run INTEGER NOT NULL,
    node TEXT NOT NULL,
    item INTEGER NOT NULL,
    job INTEGER NOT NULL,
    PRIMARY KEY (run, node, item)
) STRICT, WITHOUT ROWID;

-- A run that takes over what another one has done names the same jobs.
CREATE INDEX node_job_by_job ON node_job (job, run);
