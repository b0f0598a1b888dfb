-- Steps that running jobs record, so that no later attempt runs them again; and how many of them a job has.

CREATE TABLE step (
    number INTEGER NOT NULL,
    step INTEGER NOT NULL,
    name TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    output BLOB,
    payload BLOB,
    entry INTEGER NOT NULL,
    PRIMARY KEY (number, step)
) STRICT, WITHOUT ROWID;

ALTER TABLE ready ADD COLUMN steps INTEGER NOT NULL DEFAULT 0;
ALTER TABLE timer ADD COLUMN steps INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lease ADD COLUMN steps INTEGER NOT NULL DEFAULT 0;
