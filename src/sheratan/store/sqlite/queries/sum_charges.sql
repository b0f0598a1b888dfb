SELECT coalesce(sum(ledger_resolved.amount), 0)
FROM charge
CROSS JOIN ledger_transfer ON ledger_transfer.number = charge.transfer
CROSS JOIN ledger_account ON ledger_account.number = ledger_transfer.debit
CROSS JOIN ledger_resolved ON ledger_resolved.number = charge.transfer
WHERE charge.number = ? AND ledger_account.unit = ?
