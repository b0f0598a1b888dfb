SELECT * FROM lease ORDER BY number
