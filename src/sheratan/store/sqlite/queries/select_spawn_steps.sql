SELECT * FROM step WHERE number = ? AND name GLOB 'spawn:*' AND failed = 0 ORDER BY step
