SELECT 'ready', count(*) FROM ready
UNION ALL SELECT 'timer', count(*) FROM timer WHERE what < 3
UNION ALL SELECT 'waiting', count(*) FROM timer WHERE what = 3
UNION ALL SELECT 'lease', count(*) FROM lease
UNION ALL SELECT 'blocked', count(*) FROM blocked
UNION ALL SELECT 'result', succeeded + failed + cancelled FROM shard
