SELECT entry, number FROM approval WHERE state = 'open' ORDER BY entry
