CREATE VIRTUAL TABLE IF NOT EXISTS temp.failure_word USING fts5vocab('main', 'failure_text', 'instance')
