SELECT * FROM ledger_account WHERE number = ?
