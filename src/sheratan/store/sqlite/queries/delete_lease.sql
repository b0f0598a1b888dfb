DELETE FROM lease WHERE number IN (VALUES :rows)
