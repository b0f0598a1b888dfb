SELECT name || '/' || unit,
    'it was credited ' || credits_posted || ', and debited ' || debits_posted
    || ' with ' || debits_pending || ' pending'
FROM ledger_account JOIN ledger_balance ON ledger_balance.number = ledger_account.number
WHERE name NOT LIKE 'system:%' AND debits_posted + debits_pending > credits_posted
    OR min(debits_posted, debits_pending, credits_posted, credits_pending) < 0
