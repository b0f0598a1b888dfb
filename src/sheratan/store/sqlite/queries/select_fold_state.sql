SELECT body FROM fold_state WHERE stop = ?
