INSERT INTO ledger_account VALUES :rows
