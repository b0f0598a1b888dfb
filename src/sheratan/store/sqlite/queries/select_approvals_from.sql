SELECT * FROM approval WHERE entry > ?1 ORDER BY entry LIMIT ?2
