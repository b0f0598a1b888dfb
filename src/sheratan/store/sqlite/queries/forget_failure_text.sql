INSERT INTO failure_text (failure_text, rowid, type, message) VALUES ('delete', ?, ?, ?)
