SELECT ledger_transfer.*, debtor.name, creditor.name, debtor.unit, debtor.scale, reserved.id, ledger_resolved.*
FROM ledger_pending
JOIN ledger_transfer ON ledger_transfer.number = ledger_pending.number
JOIN ledger_account AS debtor ON debtor.number = ledger_transfer.debit
JOIN ledger_account AS creditor ON creditor.number = ledger_transfer.credit
LEFT JOIN ledger_transfer AS reserved ON reserved.number = ledger_transfer.pending
LEFT JOIN ledger_resolved ON ledger_resolved.number = ledger_transfer.number
WHERE ledger_pending.expires_us <= ?1
ORDER BY ledger_pending.expires_us, ledger_pending.number LIMIT ?2
