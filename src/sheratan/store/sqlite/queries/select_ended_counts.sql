SELECT 'succeeded', succeeded FROM shard
UNION ALL SELECT 'failed', failed FROM shard
UNION ALL SELECT 'cancelled', cancelled FROM shard
