UPDATE shard
SET
    seq = ?, head = ?, at_us = ?, next_number = ?, policy = ?, engine_entry = ?, clean = ?,
    succeeded = succeeded + ?, failed = failed + ?, cancelled = cancelled + ?
WHERE shard = 0 AND epoch = ? AND seq = ?
