SELECT ledger_account.*, ledger_balance.*
FROM ledger_account JOIN ledger_balance ON ledger_balance.number = ledger_account.number
WHERE +tenant = ?1 AND (?2 IS NULL OR unit = ?2) AND ledger_account.number > ?3
ORDER BY ledger_account.number LIMIT ?4
