-- Dead letters, tags, the search for jobs, bulk operations, and how many jobs have ended how.
-- A job that succeeds and has no tags writes nothing here but three numbers in the shard's row, which is written anyway.

CREATE TABLE tag (
    tag TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (tag, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX tag_by_job ON tag (number);

-- Every job that has failed, by the class of the error that ended it. It stays; a dead letter goes when it is dealt with.
CREATE TABLE failed_job (
    error_class TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (error_class, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letter (
    number INTEGER PRIMARY KEY
) STRICT;

-- The words of the errors that ended jobs, by job. The errors themselves are in `failure`, so nothing is kept twice.
CREATE VIRTUAL TABLE failure_text USING fts5(type, message, content = '', columnsize = 0);

-- A bulk operation, by the entry that says what it is: the last job that it was done to, for how many, and its end.
CREATE TABLE bulk (
    entry INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    done INTEGER NOT NULL,
    ended INTEGER
) STRICT;

-- Jobs that succeed are not in it.
CREATE INDEX result_without_success ON result (state, number) WHERE state <> 'succeeded';

ALTER TABLE shard ADD COLUMN succeeded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shard ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shard ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;

UPDATE shard SET
    succeeded = (SELECT count(*) FROM result WHERE state = 'succeeded'),
    failed = (SELECT count(*) FROM result WHERE state = 'failed'),
    cancelled = (SELECT count(*) FROM result WHERE state = 'cancelled');

INSERT INTO failed_job
SELECT json_extract(CAST(failure.error AS TEXT), '$.error_class'), result.number
FROM result
JOIN failure ON failure.number = result.number AND failure.entry = result.entry
WHERE result.state = 'failed';

INSERT INTO failure_text (rowid, type, message)
SELECT
    result.number,
    json_extract(CAST(failure.error AS TEXT), '$.type'),
    json_extract(CAST(failure.error AS TEXT), '$.message')
FROM result
JOIN failure ON failure.number = result.number AND failure.entry = result.entry
WHERE result.state = 'failed';

INSERT INTO dead_letter
SELECT number
FROM result
WHERE state = 'failed' AND number NOT IN (SELECT origin FROM job WHERE origin IS NOT NULL);
