SELECT * FROM ledger_transfer WHERE tenant = ? AND corrects = ? ORDER BY number LIMIT ?
