SELECT * FROM run_key
WHERE (tenant, key) > (?1, ?2)
ORDER BY tenant, key LIMIT ?3
