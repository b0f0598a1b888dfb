INSERT OR REPLACE INTO ledger_corrected VALUES :rows
