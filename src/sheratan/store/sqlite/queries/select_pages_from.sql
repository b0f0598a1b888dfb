SELECT first_seq, count, body, codec FROM page WHERE first_seq >= ?1 ORDER BY first_seq LIMIT ?2
