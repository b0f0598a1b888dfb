SELECT subject, open, severity, value, threshold, text, affected, seen_us, told, told_us, entry
FROM alert
ORDER BY subject
