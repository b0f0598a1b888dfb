SELECT * FROM gate WHERE until_us > ? ORDER BY tenant, kind, what, key
