SELECT 'ready', count(*) FROM ready
UNION ALL SELECT 'timer', count(*) FROM timer
UNION ALL SELECT 'lease', count(*) FROM lease
UNION ALL SELECT 'blocked', count(*) FROM blocked
UNION ALL SELECT 'result', count(*) FROM result
