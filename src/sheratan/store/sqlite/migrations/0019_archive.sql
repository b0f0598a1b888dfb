-- Segments of the journal that were moved into files, and the state of the fold after the last of them: whoever checks
-- the journal begins with it. A page may be deleted once it belongs to a segment, and not before.

CREATE TABLE segment (
    first INTEGER PRIMARY KEY,
    stop INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    head TEXT NOT NULL,
    file TEXT NOT NULL,
    size INTEGER NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    entry INTEGER NOT NULL
) STRICT;

CREATE TABLE fold_state (
    shard INTEGER PRIMARY KEY,
    stop INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

DROP TRIGGER page_is_never_deleted;

CREATE TRIGGER page_is_deleted_once_archived BEFORE DELETE ON page
WHEN old.first_seq >= coalesce((SELECT stop FROM segment ORDER BY first DESC LIMIT 1), 0)
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: a page leaves it once it is archived');
END;
