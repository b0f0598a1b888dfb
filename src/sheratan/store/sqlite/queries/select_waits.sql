SELECT * FROM wait WHERE number = ? ORDER BY entry, ordinal
