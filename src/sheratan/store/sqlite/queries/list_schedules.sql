SELECT * FROM schedule
WHERE tenant = ?1 AND name > ?2 AND state <> 'deleted'
ORDER BY name LIMIT ?3
