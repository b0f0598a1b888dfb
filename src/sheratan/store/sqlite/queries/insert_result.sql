INSERT INTO result VALUES :rows
