SELECT * FROM approval WHERE entry = ?
