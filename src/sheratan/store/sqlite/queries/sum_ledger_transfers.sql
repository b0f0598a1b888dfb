SELECT account, sum(debited), sum(credited)
FROM (
    SELECT debit AS account, sum(amount) AS debited, 0 AS credited
    FROM ledger_transfer
    WHERE number > ?1 AND number <= ?2 AND phase <> 'pending'
    GROUP BY debit
    UNION ALL
    SELECT credit, 0, sum(amount)
    FROM ledger_transfer
    WHERE number > ?1 AND number <= ?2 AND phase <> 'pending'
    GROUP BY credit
)
GROUP BY account
