"""Clock and randomness: the only code that touches the host's. Everything else is given these."""
