SELECT * FROM approval WHERE state = ?1 AND entry < ?2 ORDER BY entry DESC LIMIT ?3
