"""Plant bugs and let the simulator look for them: `python -m mutants [NAME ...] [--seeds N] [--processes P]
[--json FILE] [--markdown FILE]`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from mutants.bug import Bug
from mutants.catalogue import BUGS
from mutants.copies import Copy, Found, copies
from mutants.page import Row, page, summary
from mutants.results import Results

__all__ = ["CONTROL_SEEDS", "main"]

CONTROL_SEEDS = 20
"""So many seeds must pass on the unchanged sources: a simulator that always finds something has found nothing."""


def main(arguments: Sequence[str], bugs: Mapping[str, Bug] = BUGS) -> int:
    """Plant each bug alone; 1 when one that breaks safety was not found, or when the sound sources did not pass."""
    given = _parse(arguments, bugs)
    wanted = [bugs[name] for name in given.names or bugs]
    results = Results(given.json, given.seeds)
    with copies(given.processes) as scratch:
        control = scratch[0].run(0, CONTROL_SEEDS)
        if control.seed is not None:
            sys.stderr.write(f"control: the sound sources break seed {control.seed}: {control.text}\n")
            return 1
        print(f"control: {CONTROL_SEEDS} seeds of the sound sources pass", flush=True)
        try:
            for bug, found in _search(_to_run(wanted, results, given), scratch, given.seeds):
                print(_line(results.keep(bug, found)), flush=True)
        finally:
            # Of a run that is broken off, too.
            rows = _write_page(wanted, results, given)
    print(summary(rows, given.seeds))
    return int(any(row.fails for row in rows))


def _write_page(wanted: Sequence[Bug], results: Results, given: argparse.Namespace) -> list[Row]:
    rows = [results.row(bug) for bug in wanted if bug in results]
    if given.markdown:
        missing = [bug.name for bug in wanted if bug not in results]
        given.markdown.write_text(page(rows, given.seeds, missing), "utf-8")
    return rows


def _to_run(wanted: Sequence[Bug], results: Results, given: argparse.Namespace) -> list[Bug]:
    """The bugs that were named and, where none was, those of which nothing is known."""
    return [bug for bug in wanted if given.names or bug not in results]


def _parse(arguments: Sequence[str], bugs: Iterable[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mutants", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all)")
    parser.add_argument(
        "--seeds", type=int, default=300, help="seeds that a bug may take (default: %(default)s)"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: one per CPU")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep the results as JSON, and go on from what it holds"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the results as a page")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.names) - set(bugs))
    if unknown:
        parser.error(f"no such bug: {', '.join(unknown)}; there are {', '.join(bugs)}")
    return given


def _search(bugs: Sequence[Bug], scratch: Sequence[Copy], seeds: int) -> Iterator[tuple[Bug, Found]]:
    """Look for the bugs, as many at a time as there are copies; the answers come as they are found."""
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in scratch:
        free.put(copy)

    def look(bug: Bug) -> tuple[Bug, Found]:
        copy = free.get()
        try:
            return bug, copy.run(0, seeds, bug)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(scratch)) as pool:
        try:
            for done in as_completed([pool.submit(look, bug) for bug in bugs]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)  # who breaks it off waits for those under way, not for all


def _line(row: Row) -> str:
    found = row.found
    if found.seed is None:
        return f"{row.bug.name}: NOT FOUND ({row.bug.breaks}, {row.bug.promise})"
    times = f"{found.seeds} seed" + "s" * (found.seeds != 1)
    return f"{row.bug.name}: found by seed {found.seed} after {times}: {found.text}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
