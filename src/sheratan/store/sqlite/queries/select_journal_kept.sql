SELECT keep_us, entry FROM journal_kept
