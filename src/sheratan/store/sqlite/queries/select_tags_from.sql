SELECT number, tag FROM tag INDEXED BY tag_by_job WHERE (number, tag) > (?1, ?2) ORDER BY number, tag LIMIT ?3
