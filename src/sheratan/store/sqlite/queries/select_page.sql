SELECT first_seq, count, body FROM page WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1
