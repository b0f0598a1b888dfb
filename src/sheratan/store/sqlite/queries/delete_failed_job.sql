DELETE FROM failed_job WHERE (error_class, number) IN (VALUES :rows)
