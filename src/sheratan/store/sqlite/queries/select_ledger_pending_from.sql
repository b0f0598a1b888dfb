SELECT * FROM ledger_pending WHERE number > ?1 ORDER BY number LIMIT ?2
