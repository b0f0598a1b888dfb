"""Benchmarks: what Sheratan reaches, beside what this machine could at most, and beside other queues.

`make bench` runs the suite; `python -m bench --help` says how to run less. Every measurement is a module with a
function `measure(bench)`; its docstring says what is timed from when to when. `make bench-peers` runs `peers/`, which
needs other packages and servers; both write their part of one page (`page.py`).
"""
