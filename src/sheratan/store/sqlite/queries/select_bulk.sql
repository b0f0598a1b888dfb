SELECT * FROM bulk WHERE entry = ?
