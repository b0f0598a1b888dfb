"""The race of the audit's finding A1-R1: four processes change the state at random, and the server is killed meanwhile.

The log has exactly what was acknowledged, each change begins where the one before has ended, and none is illegal.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sheratan.contracts.system import ListStateChanges
from sheratan.engine.system_views import list_state_changes
from sheratan.engine.verify import verify_opened
from sheratan.kernel.system import SYSTEM_TRANSITIONS
from tests.journal.tamper import reader_of
from tests.support import Server, clean_environment, running_server
from tools.source_tree import ROOT

RACERS, ASKED = 4, 100
KILLS = 4
SECONDS_MAX = 120.0
ILL = {
    "SHERATAN_DEPENDENCIES__NOBODY__URL": "tcp://127.0.0.1:9",
    "SHERATAN_PROBES__INTERVAL_SECONDS": "0.01",
    "SHERATAN_PROBES__DOWN_AFTER": "1",
}


def raced(server: Server, first: dict[str, int], told: dict[str, str], *, kill_after: int | None) -> None:
    """Let all ask for what they have left, and note what each was told; kill the server in the middle of it."""
    command = [sys.executable, "-m", "tests.crash.state_racer", str(server.data)]
    racers = [
        subprocess.Popen(
            [*command, name, str(number), str(ASKED - number)],
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
            cwd=ROOT,
        )
        for name, number in first.items()
    ]
    watched = racers[0].stdout
    assert watched is not None
    for count, line in enumerate(watched):
        note(line, first, told)
        if count == kill_after:
            server.stop(signal.SIGKILL)
    for racer in racers:
        assert racer.stdout is not None
        for line in racer.stdout:
            note(line, first, told)
        racer.stdout.close()
        assert racer.wait(SECONDS_MAX) in (0, 3)


def note(line: str, first: dict[str, int], told: dict[str, str]) -> None:
    reason, answer = line.split()
    told[reason] = answer
    name, _, number = reason.partition(":")
    first[name] = int(number) + 1


def test_four_processes_and_a_server_that_is_killed_make_one_unbroken_history(tmp_path: Path) -> None:
    first = {f"racer{number}": 0 for number in range(RACERS)}
    told: dict[str, str] = {}
    for kill_after in (*(15 + 4 * number for number in range(KILLS)), None):
        # The engine itself moves the state as well, whenever that is its own to move.
        with running_server(tmp_path / "data", [], env=ILL) as server:
            raced(server, first, told, kill_after=kill_after)
    assert set(first.values()) == {ASKED}
    check(tmp_path / "data" / "sheratan.db", told)


def check(path: Path, told: dict[str, str]) -> None:
    assert verify_opened(lambda: reader_of(path)).problems == []
    with closing(reader_of(path)) as reader:
        changes = list_state_changes(reader, ListStateChanges(limit=1_000))[::-1]
        assert reader.system().state == changes[-1].to
    state = "operational"
    for one in changes:
        assert one.source == state
        assert SYSTEM_TRANSITIONS[one.source].get(one.to) == "system.changed"
        state = one.to
    derived = [one for one in changes if one.actor == "engine"]
    assert {(one.source, one.to) for one in derived} == {("operational", "degraded_minor")}
    reasons = [one.reason for one in changes if one.actor != "engine"]
    assert len(set(reasons)) == len(reasons)
    assert set(answered(told, "changed")) <= set(reasons)
    # Of what was asked for when the server was killed nobody knows, but the journal does.
    assert set(reasons) <= {*answered(told, "changed"), *answered(told, "asked")}
    assert len(set(answered(told, "changed"))) > RACERS * 10
    assert list(answered(told, "refused"))


def answered(told: dict[str, str], answer: str) -> Iterator[str]:
    return (reason for reason, said in told.items() if said == answer)
