SELECT * FROM run_open ORDER BY number
