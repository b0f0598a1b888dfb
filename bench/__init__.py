"""Benchmarks: what Sheratan reaches, beside what this machine could at most and beside other queues.

`make bench` runs them all; `python -m bench --help` says how to run less. Every measurement is a module with a
function `measure(bench)`; its docstring says what is timed from when to when.
"""
