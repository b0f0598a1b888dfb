SELECT * FROM ledger_transfer WHERE number IN (SELECT value FROM json_each(?))
