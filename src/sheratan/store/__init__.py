"""Where state lives: the port, the one transaction, and one folder per database."""
