SELECT tenant || '/' || unit,
    'debited ' || total(debits_posted) || ' and credited ' || total(credits_posted)
    || ', pending ' || total(debits_pending) || ' and ' || total(credits_pending)
FROM ledger_account JOIN ledger_balance ON ledger_balance.number = ledger_account.number
GROUP BY tenant, unit
HAVING sum(debits_posted - credits_posted) <> 0 OR sum(debits_pending - credits_pending) <> 0
