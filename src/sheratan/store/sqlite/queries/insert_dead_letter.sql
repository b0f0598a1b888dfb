INSERT INTO dead_letter VALUES :rows
