-- Transfers that undo others. How much of a transfer was undone is one number, however often that was done.

ALTER TABLE ledger_transfer ADD COLUMN corrects BLOB;

CREATE INDEX ledger_transfer_by_corrects ON ledger_transfer (tenant, corrects) WHERE corrects IS NOT NULL;

CREATE TABLE ledger_corrected (
    number INTEGER PRIMARY KEY,
    amount INTEGER NOT NULL
) STRICT;
