"""One module per case of the battery, each with a `CASE`."""
