"""Run the suite: `python -m bench [--quick] [--full] [--only NAME ...] [--json FILE] [--markdown PAGE]`."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import (
    callers,
    claim,
    decider_alone,
    disk,
    drain,
    durable,
    fan_out,
    growth,
    guarded,
    instructions,
    latency,
    memory,
    one_caller,
    scheduled,
    settlements,
    sleeping,
)
from bench.harness import Bench, Section, say
from bench.machine import ROOT, SYNCS, facts, load, loop_ms, sync_us
from bench.page import write_page
from bench.report import as_json, as_markdown

__all__ = ["main"]

MEASUREMENTS: dict[str, Callable[[Bench], Section]] = {
    "drain": drain.measure,
    "callers": callers.measure,
    "durable": durable.measure,
    "fan": fan_out.measure,
    "schedules": scheduled.measure,
    "sleeping": sleeping.measure,
    "ledger": settlements.measure,
    "one": one_caller.measure,
    "latency": latency.measure,
    "guards": guarded.measure,
    "claim": claim.measure,
    "memory": memory.measure,
    "disk": disk.measure,
    "growth": growth.measure,
    "decider": decider_alone.measure,
    "instructions": instructions.measure,
}


def main(arguments: Sequence[str]) -> int:
    """Measure, print the page, write the files that were asked for. A missed target is no failure of the run."""
    given = _parse(arguments)
    base = ROOT / "build" / "bench"
    rounds = given.rounds or (2 if given.quick else 5)
    bench = Bench(rounds=rounds, is_quick=given.quick, base=base, is_full=given.full)
    machine = facts(base)
    load_before, sync_before, loop_before = load(), sync_us(base), loop_ms()
    began = time.monotonic()
    sections: list[Section] = []
    try:
        for name in given.only or MEASUREMENTS:
            since = time.monotonic()
            sections.append(MEASUREMENTS[name](bench))
            say(f"bench: {name}, {time.monotonic() - since:.0f} s")
        sync_after = sync_us(base)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    machine["one 4 KiB overwrite + fdatasync"] = (
        f"{sync_before:.0f} µs before the run, {sync_after:.0f} µs after it (medians of {SYNCS}; if they lie apart, or"
        " far above 100 to 300 µs, something else used the disk)"
    )
    machine["a million additions"] = (
        f"{loop_before:.0f} ms before the run, {loop_ms():.0f} ms after it (the same name of a processor"
        " stands for machines of which one takes twice as long as another: look here first)"
    )
    machine["load"] = f"{load_before} before the run, {load()} at its end (the run itself counts)"
    notes = _notes(bench, time.monotonic() - began)
    page = as_markdown(machine, sections, notes)
    sys.stdout.write(page)
    if given.markdown:
        write_page(given.markdown, page)
    if given.json:
        given.json.write_text(as_json(machine, sections, notes), "utf-8")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each measurement (5; quick: 2)")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the work, to see that all of it runs"
    )
    parser.add_argument(
        "--full", action="store_true", help="growth up to ten million jobs, too: 20 GB, 20 minutes"
    )
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, help="only these measurements")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page")
    return parser.parse_args(arguments)


def _notes(bench: Bench, seconds: float) -> list[str]:
    made = 'Made by `make bench ARGS="--markdown docs/benchmarks.md"`'
    size = " with `--quick`: too small to judge by" if bench.is_quick else ""
    return [
        f"{made}{size}, in {seconds:.0f} s.",
        "",
        f"Medians of {bench.rounds} rounds, and the lowest and highest of them. Sides of a comparison take turns within"
        " a round; a ratio is the median of the ratios of the rounds, so noise that hits both sides cancels out."
        " Compare ratios, never figures of different runs. What counts as durable: the commit's sync has returned.",
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
