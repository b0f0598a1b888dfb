SELECT count(*) FROM awaited WHERE (number, entry, ordinal) = (?1, ?2, ?3)
