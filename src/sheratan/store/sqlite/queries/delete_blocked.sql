DELETE FROM blocked WHERE number IN (VALUES :rows)
