SELECT * FROM signal WHERE number = ? ORDER BY entry
