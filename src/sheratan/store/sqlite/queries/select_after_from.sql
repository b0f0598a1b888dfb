SELECT number, ordinal FROM after WHERE (number, ordinal) > (?1, ?2) ORDER BY number, ordinal LIMIT ?3
