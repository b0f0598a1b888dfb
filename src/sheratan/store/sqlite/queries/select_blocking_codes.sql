SELECT number, code FROM blocking_code ORDER BY number, code
