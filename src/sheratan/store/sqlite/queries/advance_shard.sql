UPDATE shard
SET seq = ?, head = ?, at_us = ?, next_number = ?, policy = ?, engine_entry = ?, clean = ?
WHERE shard = 0 AND epoch = ? AND seq = ?
