DELETE FROM awaited WHERE (number, entry, ordinal, awaited) IN (VALUES :rows)
