SELECT * FROM approval WHERE entry < ?1 ORDER BY entry DESC LIMIT ?2
