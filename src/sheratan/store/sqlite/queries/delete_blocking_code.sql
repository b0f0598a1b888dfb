DELETE FROM blocking_code WHERE (number, code) IN (VALUES :rows)
