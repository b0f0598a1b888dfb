"""Built-in kinds of jobs. Each is an ordinary user of the SDK."""
