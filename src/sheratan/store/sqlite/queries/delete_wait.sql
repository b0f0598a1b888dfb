DELETE FROM wait WHERE (number, entry, ordinal) IN (VALUES :rows)
