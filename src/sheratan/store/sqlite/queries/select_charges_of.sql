SELECT
    charge.number,
    charge.fence,
    ledger_transfer.id,
    ledger_account.unit,
    ledger_account.scale,
    ledger_transfer.amount,
    ledger_transfer.entry,
    ledger_resolved.amount,
    ledger_resolved.entry,
    ledger_transfer.tenant,
    settlement.id,
    coalesce(ledger_corrected.amount, 0),
    charge.worker
FROM charge
CROSS JOIN ledger_transfer ON ledger_transfer.number = charge.transfer
CROSS JOIN ledger_account ON ledger_account.number = ledger_transfer.debit
LEFT JOIN ledger_resolved ON ledger_resolved.number = charge.transfer
LEFT JOIN ledger_transfer AS settlement ON settlement.pending = charge.transfer
LEFT JOIN ledger_corrected ON ledger_corrected.number = settlement.number
WHERE charge.number = ?
ORDER BY charge.fence
