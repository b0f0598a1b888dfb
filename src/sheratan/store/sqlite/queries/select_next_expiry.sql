SELECT min(expires_us) FROM ledger_pending WHERE expires_us IS NOT NULL
