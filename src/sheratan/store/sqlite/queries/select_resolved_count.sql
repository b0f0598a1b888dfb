SELECT count(*) FROM ledger_resolved
