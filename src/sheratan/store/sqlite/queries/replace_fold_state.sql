INSERT OR REPLACE INTO fold_state (shard, stop, body) VALUES (0, ?, ?)
