INSERT INTO run_spender VALUES :rows
