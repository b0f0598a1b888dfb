SELECT number, step FROM step WHERE (number, step) > (?1, ?2) ORDER BY number, step LIMIT ?3
