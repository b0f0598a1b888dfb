DELETE FROM page WHERE first_seq < (SELECT stop FROM segment ORDER BY first DESC LIMIT 1)
