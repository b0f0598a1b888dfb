SELECT body FROM payload WHERE digest = ?
