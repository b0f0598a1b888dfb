SELECT * FROM ledger_resolved WHERE number = ?
