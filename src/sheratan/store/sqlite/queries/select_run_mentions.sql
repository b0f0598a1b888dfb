SELECT entry FROM run_mention WHERE number = ? ORDER BY entry
