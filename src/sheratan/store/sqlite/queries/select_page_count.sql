SELECT sum(count), (SELECT count(*) FROM page WHERE first_seq = ?1) FROM page WHERE first_seq < ?1
