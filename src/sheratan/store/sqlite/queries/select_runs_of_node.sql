SELECT number FROM run
WHERE parent = ?1 AND node = ?2
ORDER BY item LIMIT ?3
