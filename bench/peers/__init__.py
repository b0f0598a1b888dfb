"""Sheratan beside other queues, each in its own environment, at its best durable settings.

`make bench-peers` runs all of them; `python -m bench.peers --help` says how to run less. A peer is a module here that
says how it is run, and a script in `scripts/` that its own environment executes; `measure.py` treats all alike.
"""
