SELECT * FROM ledger_balance WHERE number = ?
