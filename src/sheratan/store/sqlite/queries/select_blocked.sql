SELECT * FROM blocked WHERE number = ?
