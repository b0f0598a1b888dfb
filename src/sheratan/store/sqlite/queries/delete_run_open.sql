DELETE FROM run_open WHERE (number, entry) IN (VALUES :rows)
