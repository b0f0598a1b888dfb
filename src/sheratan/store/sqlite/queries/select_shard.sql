SELECT epoch, seq, head, at_us, next_number, policy, engine_entry, clean FROM shard WHERE shard = 0
