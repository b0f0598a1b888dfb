INSERT INTO page (first_seq, count, body, codec) VALUES (?, ?, ?, ?)
