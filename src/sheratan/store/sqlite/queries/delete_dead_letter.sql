DELETE FROM dead_letter WHERE (number) IN (VALUES :rows)
