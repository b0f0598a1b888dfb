DELETE FROM signal WHERE (number, entry) IN (VALUES :rows)
