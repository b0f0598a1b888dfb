SELECT ledger_account.*, ledger_balance.*
FROM ledger_account JOIN ledger_balance ON ledger_balance.number = ledger_account.number
WHERE ledger_account.number > ?1
ORDER BY ledger_account.number LIMIT ?2
