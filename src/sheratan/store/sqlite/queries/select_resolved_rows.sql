SELECT * FROM ledger_resolved WHERE number IN (SELECT value FROM json_each(?))
