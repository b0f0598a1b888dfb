INSERT INTO blocking_code VALUES :rows
