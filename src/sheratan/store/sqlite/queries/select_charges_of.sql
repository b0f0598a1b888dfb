SELECT
    charge.fence,
    ledger_transfer.id,
    ledger_account.unit,
    ledger_account.scale,
    ledger_transfer.amount,
    ledger_transfer.entry,
    ledger_resolved.amount,
    ledger_resolved.entry
FROM charge
CROSS JOIN ledger_transfer ON ledger_transfer.number = charge.transfer
CROSS JOIN ledger_account ON ledger_account.number = ledger_transfer.debit
LEFT JOIN ledger_resolved ON ledger_resolved.number = charge.transfer
WHERE charge.number = ?
ORDER BY charge.fence
