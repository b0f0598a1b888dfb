SELECT * FROM segment ORDER BY first
