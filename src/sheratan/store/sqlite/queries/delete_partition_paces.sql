DELETE FROM partition_pace WHERE (tenant, subject) IN (VALUES :rows)
