SELECT ledger_transfer.*, debtor.name, creditor.name, debtor.unit, debtor.scale, reserved.id, ledger_resolved.*
FROM ledger_transfer
JOIN ledger_account AS debtor ON debtor.number = ledger_transfer.debit
JOIN ledger_account AS creditor ON creditor.number = ledger_transfer.credit
LEFT JOIN ledger_transfer AS reserved ON reserved.number = ledger_transfer.pending
LEFT JOIN ledger_resolved ON ledger_resolved.number = ledger_transfer.number
WHERE +ledger_transfer.tenant = ?1 AND ledger_transfer.number > ?2
ORDER BY ledger_transfer.number LIMIT ?3
