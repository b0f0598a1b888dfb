SELECT 'transfer_' || lower(hex(id)),
    'it moves from ' || coalesce(debtor.unit, 'no account') || ' to ' || coalesce(creditor.unit, 'no account')
FROM ledger_transfer
LEFT JOIN ledger_account AS debtor ON debtor.number = debit
LEFT JOIN ledger_account AS creditor ON creditor.number = credit
WHERE ledger_transfer.number > ?1 AND ledger_transfer.number <= ?2 AND (
    debit = credit OR (debtor.tenant, debtor.unit, debtor.scale, ledger_transfer.tenant)
        IS NOT (creditor.tenant, creditor.unit, creditor.scale, debtor.tenant)
)
