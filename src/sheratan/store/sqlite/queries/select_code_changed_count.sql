SELECT count(*) FROM blocked WHERE reason = 'code_changed'
