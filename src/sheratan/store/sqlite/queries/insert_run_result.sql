INSERT INTO run_result VALUES :rows
