INSERT OR REPLACE INTO ledger_balance VALUES :rows
