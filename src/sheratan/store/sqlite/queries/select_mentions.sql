SELECT entry FROM mention WHERE number = ? ORDER BY entry
