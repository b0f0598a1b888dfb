SELECT * FROM approval WHERE number = ? ORDER BY entry
