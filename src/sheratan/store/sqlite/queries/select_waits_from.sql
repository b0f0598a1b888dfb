SELECT * FROM wait WHERE (number, entry, ordinal) > (?1, ?2, ?3) ORDER BY number, entry, ordinal LIMIT ?4
