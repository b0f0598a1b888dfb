-- The spine: jobs by location, the journal in pages, one shard.
-- No foreign keys or triggers on hot tables; nothing indexed is ever updated.

CREATE TABLE shard (
    shard INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    head TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    next_number INTEGER NOT NULL,
    policy INTEGER NOT NULL,
    engine_entry INTEGER,
    clean INTEGER NOT NULL
) STRICT;

INSERT INTO shard VALUES (0, 0, 0, '0000000000000000000000000000000000000000000000000000000000000000', 0, 1, 0, NULL, 1);

CREATE TABLE page (
    first_seq INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TRIGGER page_is_never_updated BEFORE UPDATE ON page
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;

CREATE TRIGGER page_is_never_deleted BEFORE DELETE ON page
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;

CREATE TABLE lane (
    lane INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    queue TEXT NOT NULL,
    kind TEXT NOT NULL,
    UNIQUE (tenant, queue, kind)
) STRICT;

CREATE TABLE job (
    number INTEGER PRIMARY KEY,
    salt INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    attempts_max INTEGER NOT NULL,
    backoff_base_us INTEGER NOT NULL,
    backoff_cap_us INTEGER NOT NULL,
    run_timeout_us INTEGER NOT NULL,
    queue_timeout_us INTEGER NOT NULL,
    after_failure TEXT NOT NULL,
    submitted_by INTEGER,
    origin INTEGER,
    input BLOB,
    payload BLOB
) STRICT;

CREATE TABLE ready (
    lane INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    losses INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (lane, priority, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE timer (
    due_us INTEGER NOT NULL,
    number INTEGER NOT NULL,
    what INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    losses INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (due_us, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX timer_by_job ON timer (number);

CREATE TABLE lease (
    number INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL,
    losses INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    session INTEGER NOT NULL,
    leased_us INTEGER NOT NULL,
    cancel_us INTEGER NOT NULL,
    entry INTEGER NOT NULL
) STRICT;

CREATE TABLE blocked (
    number INTEGER PRIMARY KEY,
    missing INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    entry INTEGER NOT NULL
) STRICT;

CREATE TABLE result (
    number INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    losses INTEGER NOT NULL,
    finished_us INTEGER NOT NULL,
    output BLOB,
    payload BLOB,
    entry INTEGER NOT NULL
) STRICT;

-- How failed attempts failed. The text stays outside the journal, whose entries hold its digest.
CREATE TABLE failure (
    number INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    error BLOB NOT NULL,
    PRIMARY KEY (number, entry)
) STRICT, WITHOUT ROWID;

-- Entries that mention a job beside its own story, such as a stale worker's refused write. Rare, so an index is cheap.
CREATE TABLE mention (
    number INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (number, entry)
) STRICT, WITHOUT ROWID;

-- A limit on waiting in a queue is an alarm beside the job's location, not a location; the alarm of a job that
-- was started in time is dropped when it rings.
CREATE TABLE alarm (
    due_us INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (due_us, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE after (
    number INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    PRIMARY KEY (number, ordinal)
) STRICT, WITHOUT ROWID;

CREATE INDEX after_by_parent ON after (parent);

CREATE TABLE idempotency (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE payload (
    digest BLOB NOT NULL UNIQUE,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE queue (
    tenant TEXT NOT NULL,
    queue TEXT NOT NULL,
    paused INTEGER NOT NULL,
    reason TEXT NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (tenant, queue)
) STRICT, WITHOUT ROWID;
