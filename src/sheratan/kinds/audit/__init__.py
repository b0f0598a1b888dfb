"""Static audit of a source tree: pure analysis functions, without any job handling."""
