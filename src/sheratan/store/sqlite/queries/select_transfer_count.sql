SELECT count(*) FROM ledger_transfer WHERE number > ?
