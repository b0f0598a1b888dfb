SELECT ledger_corrected.number, tenant, id, ledger_corrected.amount
FROM ledger_corrected LEFT JOIN ledger_transfer ON ledger_transfer.number = ledger_corrected.number
WHERE ledger_corrected.number > ?1
ORDER BY ledger_corrected.number LIMIT ?2
