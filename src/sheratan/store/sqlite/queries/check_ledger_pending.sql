SELECT name || '/' || unit,
    'its balance says pending ' || debits_pending || ' and ' || credits_pending
    || '; its transfers say ' || coalesce(debited, 0) || ' and ' || coalesce(credited, 0)
FROM ledger_account
JOIN ledger_balance ON ledger_balance.number = ledger_account.number
LEFT JOIN (
    SELECT account, sum(debit_amount) AS debited, sum(credit_amount) AS credited
    FROM (
        SELECT debit AS account, amount AS debit_amount, 0 AS credit_amount
        FROM ledger_pending CROSS JOIN ledger_transfer ON ledger_transfer.number = ledger_pending.number
        UNION ALL
        SELECT credit, 0, amount
        FROM ledger_pending CROSS JOIN ledger_transfer ON ledger_transfer.number = ledger_pending.number
    )
    GROUP BY account
) ON account = ledger_account.number
WHERE debits_pending <> coalesce(debited, 0) OR credits_pending <> coalesce(credited, 0)
