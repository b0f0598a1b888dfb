CREATE VIRTUAL TABLE failure_text USING fts5(type, message, content = '', columnsize = 0)
