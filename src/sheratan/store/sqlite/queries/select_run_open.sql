SELECT * FROM run_open WHERE number = ?
