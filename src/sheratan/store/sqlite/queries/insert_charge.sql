INSERT INTO charge VALUES :rows
