INSERT INTO run_open VALUES :rows
