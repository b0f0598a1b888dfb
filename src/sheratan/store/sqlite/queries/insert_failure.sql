INSERT INTO failure VALUES :rows
