INSERT INTO run_mention VALUES :rows
