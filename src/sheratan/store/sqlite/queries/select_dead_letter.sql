SELECT number FROM dead_letter WHERE number = ?
