SELECT * FROM ledger_transfer WHERE tenant = ? AND id = ?
