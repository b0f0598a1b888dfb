DELETE FROM ledger_pending WHERE number IN (VALUES :rows)
