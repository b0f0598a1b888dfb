DELETE FROM pace WHERE (tenant, subject) IN (VALUES :rows)
