SELECT tenant, key, digest, number FROM idempotency WHERE tenant = ?1 AND key = ?2
