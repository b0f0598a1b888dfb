INSERT INTO ledger_transfer VALUES :rows
