INSERT INTO page VALUES (?, ?, ?)
