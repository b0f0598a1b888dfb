SELECT * FROM ledger_corrected WHERE number IN (SELECT value FROM json_each(?))
