-- Jobs that the handlers of other jobs wait for: a row for each one that has not ended, under the wait that names it.

CREATE TABLE awaited (
    number INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    awaited INTEGER NOT NULL,
    PRIMARY KEY (number, entry, ordinal, awaited)
) STRICT, WITHOUT ROWID;

CREATE INDEX awaited_by_job ON awaited (awaited);
