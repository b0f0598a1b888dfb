-- How long jobs are kept that have ended, and what is left of those that were pruned: what an id and a story need, and
-- how many rows went with them. Their entries stay in the journal. An index by payload holds only what has one, so that
-- a payload can go with the last row that names it.

CREATE TABLE retention (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    keep_us INTEGER,
    set_entry INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE pruned (
    number INTEGER PRIMARY KEY,
    salt INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    submitted_by INTEGER,
    state TEXT NOT NULL,
    finished_us INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    pruned_by INTEGER NOT NULL,
    parents INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    tags INTEGER NOT NULL
) STRICT;

CREATE INDEX job_by_payload ON job (payload) WHERE payload IS NOT NULL;
CREATE INDEX result_by_payload ON result (payload) WHERE payload IS NOT NULL;
CREATE INDEX step_by_payload ON step (payload) WHERE payload IS NOT NULL;
CREATE INDEX signal_by_payload ON signal (payload) WHERE payload IS NOT NULL;
CREATE INDEX schedule_by_payload ON schedule (payload) WHERE payload IS NOT NULL;
CREATE INDEX schedule_by_last_job ON schedule (last_job) WHERE last_job IS NOT NULL;
CREATE INDEX run_by_payload ON run (payload) WHERE payload IS NOT NULL;
CREATE INDEX run_by_plan ON run (plan);
CREATE INDEX run_result_by_payload ON run_result (payload) WHERE payload IS NOT NULL;
CREATE INDEX node_by_source ON node (source, name) WHERE source IS NOT NULL;
CREATE INDEX approval_by_payload ON approval (payload) WHERE payload IS NOT NULL;
