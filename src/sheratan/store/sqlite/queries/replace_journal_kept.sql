INSERT OR REPLACE INTO journal_kept VALUES (1, ?, ?)
