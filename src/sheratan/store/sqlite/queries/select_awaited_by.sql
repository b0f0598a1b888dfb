SELECT * FROM awaited WHERE number = ? ORDER BY entry, ordinal, awaited
