INSERT INTO ledger_pending VALUES :rows
