SELECT created_us FROM job WHERE number >= ? ORDER BY number LIMIT 1
