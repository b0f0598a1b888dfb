INSERT INTO awaited VALUES :rows
