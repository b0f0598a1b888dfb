SELECT * FROM run_key WHERE tenant = ?1 AND key = ?2
