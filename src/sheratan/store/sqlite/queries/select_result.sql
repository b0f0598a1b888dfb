SELECT * FROM result WHERE number = ?
