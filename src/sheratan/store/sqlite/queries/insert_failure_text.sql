INSERT INTO failure_text (rowid, type, message) VALUES :rows
