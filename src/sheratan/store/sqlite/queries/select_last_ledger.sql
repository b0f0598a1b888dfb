SELECT (SELECT coalesce(max(number), 0) FROM ledger_account), (SELECT coalesce(max(number), 0) FROM ledger_transfer)
