-- The system's state, in one row as soon as anything has changed it: what an engine goes by from its start on. Since
-- when, why and by whom stand in the journal, too; `draining` is the entry by which the engine at work has begun to.

CREATE TABLE system (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    state TEXT NOT NULL,
    since_us INTEGER,
    reason TEXT NOT NULL,
    actor TEXT,
    entry INTEGER,
    affected TEXT NOT NULL,
    draining INTEGER
) STRICT;
