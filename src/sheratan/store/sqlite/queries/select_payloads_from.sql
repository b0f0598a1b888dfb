SELECT rowid, digest, body FROM payload WHERE rowid > ?1 ORDER BY rowid LIMIT ?2
