SELECT * FROM lease WHERE number = ?
