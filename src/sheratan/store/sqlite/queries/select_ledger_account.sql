SELECT * FROM ledger_account WHERE tenant = ? AND name = ? AND unit = ?
