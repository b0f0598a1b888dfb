INSERT INTO signal VALUES :rows
