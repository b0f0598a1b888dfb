-- What is submitted again and again. Of a schedule that was deleted the name stays, for its story.
-- A definition has up to two kilobytes (above that it is a payload), so the table has rows by number and is found by key.

CREATE TABLE schedule (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    definition BLOB,
    payload BLOB,
    on_behalf_of TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    after_us INTEGER NOT NULL,
    due_us INTEGER,
    last_us INTEGER,
    last_job INTEGER,
    entry INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT;

CREATE INDEX schedule_by_due ON schedule (due_us, tenant, name) WHERE due_us IS NOT NULL;

CREATE INDEX schedule_in_force ON schedule (tenant, name) WHERE state <> 'deleted';
