SELECT * FROM step WHERE number = ?1 AND step > ?2 ORDER BY step LIMIT ?3
