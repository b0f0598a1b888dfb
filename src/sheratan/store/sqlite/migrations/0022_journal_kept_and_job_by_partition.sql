-- How long entries are kept in the journal before the server archives them, in one row as soon as anybody has set it;
-- without a time they are kept for ever.

CREATE TABLE journal_kept (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    keep_us INTEGER,
    entry INTEGER NOT NULL
) STRICT;

-- The jobs of each partition, in the order of their numbers; jobs without one are not in it.

CREATE INDEX job_by_partition ON job (lane >> 20) WHERE lane > 1048575;
