DELETE FROM page WHERE first_seq < ?
