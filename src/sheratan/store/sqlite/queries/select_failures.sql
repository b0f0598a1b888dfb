SELECT entry, error FROM failure WHERE number = ? ORDER BY entry
