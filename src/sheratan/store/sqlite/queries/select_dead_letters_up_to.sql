SELECT count(*) FROM (SELECT number FROM dead_letter LIMIT ?)
