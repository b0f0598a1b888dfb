"""The house: small checks that keep the code base to its own rules. Run one with `python -m tools.<name>`."""
