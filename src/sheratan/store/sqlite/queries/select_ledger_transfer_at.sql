SELECT id FROM ledger_transfer WHERE number = ?
