SELECT name || '/' || unit,
    'its balance says pending ' || debits_pending || ' and ' || credits_pending
    || '; its transfers say ' || debited || ' and ' || credited
FROM (
    SELECT name, unit, debits_pending, credits_pending,
        (SELECT coalesce(sum(amount), 0) FROM ledger_transfer
            JOIN ledger_pending ON ledger_pending.number = ledger_transfer.number
            WHERE debit = ledger_account.number) AS debited,
        (SELECT coalesce(sum(amount), 0) FROM ledger_transfer
            JOIN ledger_pending ON ledger_pending.number = ledger_transfer.number
            WHERE credit = ledger_account.number) AS credited
    FROM ledger_account LEFT JOIN ledger_balance ON ledger_balance.number = ledger_account.number
)
WHERE debits_pending IS NOT debited OR credits_pending IS NOT credited
