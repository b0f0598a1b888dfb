-- Transfers that correct others. How much of a transfer was corrected is one number, however often that was done.

ALTER TABLE ledger_transfer ADD COLUMN corrects BLOB;

CREATE INDEX ledger_transfer_by_corrects ON ledger_transfer (tenant, corrects) WHERE corrects IS NOT NULL;

CREATE TABLE ledger_corrected (
    number INTEGER PRIMARY KEY,
    amount INTEGER NOT NULL
) STRICT;

-- The share of workers: whether a price has them, who gets one, and how reliable each was of late.

ALTER TABLE price ADD COLUMN worker_share INTEGER NOT NULL DEFAULT 0;

ALTER TABLE charge ADD COLUMN worker TEXT;

CREATE TABLE reliability (
    tenant TEXT NOT NULL,
    account TEXT NOT NULL,
    unit TEXT NOT NULL,
    success INTEGER NOT NULL,
    latency INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (tenant, account, unit)
) STRICT, WITHOUT ROWID;
