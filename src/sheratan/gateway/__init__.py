"""Doors to the engine: within the process, and over a local socket."""
