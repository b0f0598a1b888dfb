-- What handlers wait for that have given their slot back (their jobs are timers of kind 3), and signals on their way.
-- A wait stays until it is over or its job has ended, so that its instant holds however often the handler is run.

CREATE TABLE wait (
    number INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    name TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    what TEXT NOT NULL,
    key TEXT NOT NULL,
    due_us INTEGER NOT NULL,
    PRIMARY KEY (number, entry, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE signal (
    number INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    name TEXT NOT NULL,
    output BLOB,
    payload BLOB,
    PRIMARY KEY (number, entry)
) STRICT, WITHOUT ROWID;
