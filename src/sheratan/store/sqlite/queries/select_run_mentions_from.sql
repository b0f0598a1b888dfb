SELECT number, entry FROM run_mention WHERE (number, entry) > (?1, ?2) ORDER BY number, entry LIMIT ?3
