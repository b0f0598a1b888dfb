SELECT * FROM ready WHERE lane = ?1 AND priority = ?2 AND number = ?3
