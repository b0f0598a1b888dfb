SELECT first_seq, count, body FROM page WHERE first_seq >= ?1 ORDER BY first_seq LIMIT ?2
