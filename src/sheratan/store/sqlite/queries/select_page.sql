SELECT first_seq, count, body, codec FROM page WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1
