SELECT term, doc, col, offset FROM temp.failure_word
