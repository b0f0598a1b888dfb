SELECT * FROM awaited WHERE (number, entry, ordinal, awaited) > (?1, ?2, ?3, ?4)
ORDER BY number, entry, ordinal, awaited LIMIT ?5
