SELECT * FROM partition_pace WHERE pace_us >= ?1 ORDER BY tenant, subject, number
