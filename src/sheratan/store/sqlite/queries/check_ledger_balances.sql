SELECT name || '/' || unit, 'it has no balance'
FROM ledger_account
WHERE number NOT IN (SELECT number FROM ledger_balance)
