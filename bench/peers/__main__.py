"""Run the peers: `python -m bench.peers [--durable] [--quick] [--rounds N] [--only NAME ...] [--markdown PAGE]`."""

from __future__ import annotations

import argparse
import importlib.metadata
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.harness import Bench, say
from bench.machine import ROOT, SYNCS, facts, load, sync_us
from bench.page import put_block
from bench.peers.environments import Missing, interpreter_version, versions
from bench.peers.measure import Failed, measure_once
from bench.peers.peer import Peer
from bench.peers.results import Result, as_block, as_chart, as_json
from bench.peers.suites import DURABLE, QUEUES, Suite

__all__ = ["main", "run"]


def main(arguments: Sequence[str]) -> int:
    """Measure, print the section, write the files that were asked for. A peer that cannot run says why in its row."""
    given = _parse(arguments)
    suite: Suite = given.suite
    signal.signal(signal.SIGTERM, _end)
    base = ROOT / "build" / "bench"
    bench = Bench(rounds=given.rounds or (1 if given.quick else 3), is_quick=given.quick, base=base)
    machine = facts(base)
    load_before, sync_before = load(), sync_us(base)
    began = time.monotonic()
    wanted = [peer for peer in suite.peers if not given.only or peer.environment in given.only]
    try:
        results = run(bench, suite, wanted)
        sync_after = sync_us(base)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    machine["one 4 KiB overwrite + fdatasync"] = (
        f"{sync_before:.0f} µs before the run, {sync_after:.0f} µs after it (medians of {SYNCS})"
    )
    machine["load"] = f"{load_before} before the run, {load()} at its end (the run itself counts)"
    machine |= _versions(results)
    notes = _notes(bench, suite, time.monotonic() - began)
    block = as_block(machine, results, notes, suite)
    sys.stdout.write(block)
    if given.markdown:
        put_block(given.markdown, block, suite.section)
        chart = as_chart(results, f"Medians of {_rounds(bench)} on {machine['CPU']}.", suite)
        given.markdown.with_name(suite.chart).write_text(chart, "utf-8")
    if given.json:
        given.json.write_text(as_json(machine, results, notes), "utf-8")
    return 0


def _end(number: int, _: object) -> None:
    """Ended from outside, too, end what was started; a second signal would only disturb that."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def run(bench: Bench, suite: Suite, peers: Sequence[Peer]) -> list[Result]:
    """Every peer in every round, and right before it (every other round: after it) Sheratan with as many processes."""
    ours = {peer: Result(peer, importlib.metadata.version("sheratan")) for peer in suite.ours}
    theirs = [Result(peer, versions(peer.environment).get(peer.package, "")) for peer in peers]
    for number in range(bench.rounds):
        for result in theirs if number % 2 == 0 else theirs[::-1]:
            if not result.reason:
                _pair(bench, result, ours[suite.ours_for(result.peer)], ours_first=number % 2 == 0)
    return [result for result in [*ours.values(), *theirs] if result.samples or result.reason]


def _pair(bench: Bench, result: Result, beside: Result, *, ours_first: bool) -> None:
    since = time.monotonic()
    own = _once(bench, beside.peer)[0] if ours_first else None
    figures: dict[str, float] = {}
    try:
        figures, result.server_version = _once(bench, result.peer)
    except (Missing, Failed) as error:
        kind = "not run" if isinstance(error, Missing) else "failed"
        result.reason = f"{kind}: {error}"
        say(f"bench-peers: {result.peer.name} {result.reason}")
    if own is None:
        own = _once(bench, beside.peer)[0]
    beside.add(own, {})
    if figures:
        result.add(figures, own)
        drain = f"drain {figures['drain']:,.0f}/s beside {own['drain']:,.0f}"
        say(f"bench-peers: {result.peer.name}, {drain}, {time.monotonic() - since:.0f} s")


def _once(bench: Bench, peer: Peer) -> tuple[dict[str, float], str]:
    with bench.folder() as folder:
        # A server that drops root has to reach its own folder below.
        folder.chmod(0o755)
        return measure_once(peer, folder, peer.sizes.quick if bench.is_quick else peer.sizes)


def _versions(results: Sequence[Result]) -> Mapping[str, str]:
    servers = sorted({result.server_version for result in results if result.server_version})
    pythons: dict[str, list[str]] = {}
    for result in results:
        if not result.peer.is_ours and result.samples:
            pythons.setdefault(interpreter_version(result.peer.environment), []).append(
                result.peer.environment
            )
    said = [f"{version} ({', '.join(dict.fromkeys(names))})" for version, names in sorted(pythons.items())]
    return {"servers": "; ".join(servers) or "none", "Python of the peers": "; ".join(said)}


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=main.__doc__)
    parser.add_argument(
        "--durable",
        dest="suite",
        action="store_const",
        const=DURABLE,
        default=QUEUES,
        help="handlers of ten durable steps, beside the engines that have them",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each peer (3; quick: 1)")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the work, to see that all of it runs"
    )
    names = tuple(dict.fromkeys([*QUEUES.names, *DURABLE.names]))
    parser.add_argument("--only", nargs="+", choices=names, help="only these peers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample as JSON")
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="PAGE",
        help="write the section of this page, and its chart beside it",
    )
    given = parser.parse_args(arguments)
    if not set(given.only or ()) <= set(given.suite.names):
        parser.error(f"--only: these have the task: {', '.join(given.suite.names)}")
    for path in filter(None, (given.json, given.markdown)):
        if not path.parent.is_dir():
            parser.error(f"there is no folder {path.parent}")  # now, not after the run
    return given


def _rounds(bench: Bench) -> str:
    return "1 round" if bench.rounds == 1 else f"{bench.rounds} rounds"


def _notes(bench: Bench, suite: Suite, seconds: float) -> list[str]:
    size = " with `--quick`: too small to judge by" if bench.is_quick else ""
    asked = f"{suite.arguments} --markdown docs/benchmarks.md".lstrip()
    return [
        f'Made by `make bench-peers ARGS="{asked}"`{size}, in {seconds:.0f} s.',
        "",
        f"{suite.jobs}; medians of {_rounds(bench)}. {suite.about[0]}",
        *(line for paragraph in suite.about[1:] for line in ("", paragraph)),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
