"""The command line: a client of a running server, a reader of stopped data, and the server's start."""
