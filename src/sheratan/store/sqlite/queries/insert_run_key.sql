INSERT INTO run_key VALUES :rows
