UPDATE shard SET epoch = epoch + 1 WHERE shard = 0
