-- The ledger. Accounts and transfers never change; a balance is what the transfers of an account come to, written once
-- per batch. A pending transfer is in one of two tables: there while it is pending, in the other once it is resolved.

CREATE TABLE ledger_account (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    unit TEXT NOT NULL,
    scale INTEGER NOT NULL,
    opened_us INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    UNIQUE (tenant, name, unit)
) STRICT;

CREATE TABLE ledger_balance (
    number INTEGER PRIMARY KEY,
    debits_pending INTEGER NOT NULL,
    debits_posted INTEGER NOT NULL,
    credits_pending INTEGER NOT NULL,
    credits_posted INTEGER NOT NULL,
    closed_by BLOB,
    entry INTEGER NOT NULL
) STRICT;

CREATE TABLE ledger_transfer (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    id BLOB NOT NULL,
    phase TEXT NOT NULL,
    debit INTEGER NOT NULL,
    credit INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    asked INTEGER,
    pending INTEGER,
    expires_us INTEGER,
    balancing TEXT,
    closes TEXT,
    at_us INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    UNIQUE (tenant, id)
) STRICT;

CREATE INDEX ledger_transfer_by_debit ON ledger_transfer (debit);
CREATE INDEX ledger_transfer_by_credit ON ledger_transfer (credit);

CREATE UNIQUE INDEX ledger_transfer_by_pending ON ledger_transfer (pending) WHERE pending IS NOT NULL;

CREATE TABLE ledger_pending (
    number INTEGER PRIMARY KEY,
    expires_us INTEGER
) STRICT;

CREATE INDEX ledger_pending_by_expiry ON ledger_pending (expires_us) WHERE expires_us IS NOT NULL;

CREATE TABLE ledger_resolved (
    number INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    amount INTEGER NOT NULL,
    entry INTEGER NOT NULL
) STRICT;
