SELECT * FROM signal WHERE (number, entry) > (?1, ?2) ORDER BY number, entry LIMIT ?3
