SELECT ledger_account.*, ledger_balance.*
FROM ledger_account JOIN ledger_balance ON ledger_balance.number = ledger_account.number
WHERE tenant = ? AND name = ? AND unit = ?
