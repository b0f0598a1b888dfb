-- What is left of runs that were pruned: what an id and a story need, and how many rows went with them. Their entries
-- stay in the journal. How long they are kept stands beside how long jobs are, as `workflow:NAME`.

CREATE TABLE pruned_run (
    number INTEGER PRIMARY KEY,
    salt INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    workflow TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    parent INTEGER,
    state TEXT NOT NULL,
    finished_us INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    pruned_by INTEGER NOT NULL,
    nodes INTEGER NOT NULL,
    jobs INTEGER NOT NULL
) STRICT;

CREATE INDEX schedule_by_last_run ON schedule (last_run) WHERE last_run IS NOT NULL;
