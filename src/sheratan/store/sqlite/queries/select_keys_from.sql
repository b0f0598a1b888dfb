SELECT tenant, key, digest, number FROM idempotency
WHERE (tenant, key) > (?1, ?2) AND number > ?3
ORDER BY tenant, key LIMIT ?4
