SELECT * FROM schedule WHERE due_us <= ?1 ORDER BY due_us, tenant, name LIMIT ?2
