"""The simulator keeps its own promises: the same seed is the same run, what is planted is found, and shrunk."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sheratan.ambient.clock import SystemClock
from sheratan.engine import settle
from sheratan.simulation import campaign as campaigns
from sheratan.simulation.campaign import options_of, run_campaign
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import FAULTS, SOMETIMES, Coverage
from sheratan.simulation.loop import SimulatedLoop
from sheratan.simulation.shrink import shrink
from sheratan.simulation.story import Story
from sheratan.simulation.unsynced import UnsyncedFile, Write
from sheratan.simulation.world import Outcome, simulate
from tests.support import SECONDS_MAX, clean_environment, run_cli

pytestmark = pytest.mark.timeout(600)


def test_a_campaign_keeps_every_promise_and_repeats_itself() -> None:
    campaign = run_campaign(0, 12, clock=SystemClock(), twice=True)
    assert campaign.failures == []
    assert campaign.not_repeated == []
    assert campaign.jobs > 0


def test_a_seed_gives_the_same_digest_in_another_process_with_other_hashes() -> None:
    code = "from sheratan.simulation.world import simulate; print(simulate(5).digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashes in ("0", "1", "4711")
    }
    assert digests == {simulate(5).digest + "\n"}


def test_a_server_that_could_not_start_tells_the_same_in_each_run() -> None:
    told = "could not start: 0/sheratan.db is not a usable database"
    failed = next(run for run in map(simulate, range(100)) if any(told in line for line in run.story))
    assert simulate(failed.seed).digest == failed.digest


def test_a_story_holds_no_folder_of_the_host(tmp_path: Path) -> None:
    story = Story(SimulatedLoop(Choices(1), "fifo"))
    story.hide(tmp_path)
    story.tell(f"{tmp_path}/0/sheratan.db is gone")
    assert story.lines == ["0.000000 world: 0/sheratan.db is gone"]


def test_seeds_draw_different_worlds() -> None:
    assert len({json.dumps(options_of(seed), sort_keys=True) for seed in range(50)}) == 50


def test_a_tape_replays_its_run_and_any_tape_is_a_run() -> None:
    found = simulate(3)
    assert simulate(3, found.tape).digest == found.digest
    shorter = {stream: draws[: len(draws) // 2] for stream, draws in found.tape.items()}
    assert simulate(3, shorter).violation is None
    plainest = simulate(3, {})
    assert plainest.violation is None
    assert not any(plainest.coverage.get(name) for name in FAULTS if not name.startswith("client."))


def test_a_draw_that_is_added_to_one_stream_shifts_no_other() -> None:
    plain, more = Choices(9), Choices(9)
    more.draw("new", 1000)
    assert [plain.draw("old", 1000) for _ in range(20)] == [more.draw("old", 1000) for _ in range(20)]


def test_what_a_failed_sync_gave_up_arrives_only_when_it_is_written_again() -> None:
    file = UnsyncedFile(b"aaaa")
    file.pending += [Write(0, b"bb"), Write(2, b"cc")]
    file.fail_sync(lambda change: [change] if change == Write(2, b"cc") else [])
    file.sync()
    assert file.image(lambda change: ()) == b"aacc"
    file.pending.append(Write(1, b"dd"))
    file.sync()
    assert file.image(lambda change: ()) == b"addc"


def test_a_fault_that_nobody_declared_is_a_mistake() -> None:
    with pytest.raises(AssertionError):
        Coverage().hit("network.gremlins")
    assert set(Coverage().missing()) == {*FAULTS, *SOMETIMES}


@pytest.fixture
def no_fences(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug: any report about a running job counts, whatever its fence."""
    real = settle._given

    def forged(report: Any, lease: Any) -> dict[str, Any]:
        given = real(report, lease)
        return given | {"fence": given["fence_current"] if lease else report.fence}

    monkeypatch.setattr(settle, "_given", forged)


SEEDS = range(40, 100)
"""Worlds in which it is looked for; about one in sixteen shows it, and where the search begins is of no matter."""


def _faults_drawn(run: Outcome) -> int:
    """Draws that are not the plainest choice; a plainer world may live longer, and so draw more."""
    return sum(draw > 0 for draws in run.tape.values() for draw in draws)


@pytest.mark.usefixtures("no_fences")
def test_a_planted_bug_is_found_told_and_shrunk() -> None:
    found = next(run for run in map(simulate, SEEDS) if run.violation is not None)
    shrunken = shrink(found, runs_max=30)
    # It is seen by the entry that is missing, by the answer that a stale report gets, or by who starts in the place
    # that it has made under a limit.
    signs = ("job.fenced_off", "Settle: [True]", "should not be answered yet")
    assert any(said in (shrunken.violation or "") for said in signs)
    assert _faults_drawn(shrunken) < _faults_drawn(found)
    assert any("VIOLATION" in line for line in shrunken.story)


@pytest.mark.usefixtures("no_fences")
def test_a_campaign_with_a_bug_is_not_ok() -> None:
    seed = next(seed for seed in SEEDS if simulate(seed).violation is not None)
    campaign = run_campaign(seed, 1, clock=SystemClock())
    assert not campaign.ok
    assert campaign.failures[0].violation is not None


def test_a_campaign_goes_on_for_what_it_has_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "SEEDS_THAT_REACH_ALL", 5)
    campaign = run_campaign(0, 5, clock=SystemClock())
    assert campaign.missing
    assert campaign.seeds == 6


def test_a_campaign_that_has_reached_everything_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: Coverage) -> list[str]:
        return []

    monkeypatch.setattr(campaigns, "SEEDS_THAT_REACH_ALL", 5)
    monkeypatch.setattr(Coverage, "missing", nothing)
    assert run_campaign(0, 5, clock=SystemClock()).seeds == 5


def test_the_command_tells_seed_and_options_first_and_ends_with_the_verdict(tmp_path: Path) -> None:
    done = run_cli("dev", "simulate", "--seed", "11", "--twice", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("simulate: seed 11\noptions: about=")
    assert "every promise was kept" in done.stdout


def test_the_command_gives_a_campaign_as_json() -> None:
    done = run_cli("dev", "simulate", "--seeds", "4", "--first-seed", "20", "--processes", "2", "-o", "json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["seeds"] == 4
    assert found["failures"] == []
    assert found["coverage"]


def test_a_campaign_that_is_killed_takes_its_processes_along() -> None:
    campaign = subprocess.Popen(
        [sys.executable, "-m", "sheratan", "dev", "simulate", "--seeds", "100000", "--processes", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
    )
    until = time.monotonic() + SECONDS_MAX
    while len(children := children_of(campaign.pid)) < 3 and time.monotonic() < until:
        assert campaign.poll() is None
    watched = [os.pidfd_open(child) for child in children]
    campaign.kill()
    campaign.wait()
    for child in watched:
        assert select.select([child], [], [], SECONDS_MAX)[0], "a process goes on without its campaign"
        os.close(child)


def children_of(parent: int) -> list[int]:
    """The processes that another one has started."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with suppress(OSError):
                after_name = (place / "stat").read_text("utf-8").rpartition(")")[2]
                if int(after_name.split()[1]) == parent:
                    found.append(int(place.name))
    return found
