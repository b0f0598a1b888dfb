SELECT rowid, * FROM schedule WHERE rowid > ?1 ORDER BY rowid LIMIT ?2
