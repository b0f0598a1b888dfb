INSERT INTO ledger_resolved VALUES :rows
