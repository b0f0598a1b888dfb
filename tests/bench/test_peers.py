"""The harness of the peers counts right, notices what goes wrong, and leaves no hole. No figure is asserted."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from pathlib import Path
from xml.etree import ElementTree

import apsw
import pytest

from bench import restate_server
from bench.harness import Bench
from bench.machine import ROOT
from bench.page import SECTIONS
from bench.peers import environments
from bench.peers.__main__ import main, run
from bench.peers.environments import Missing, ensure, lock_of, versions
from bench.peers.measure import MEASURES, Failed, measure_once, rate
from bench.peers.peer import Peer, Sizes, own_program, own_workers
from bench.peers.results import Result, as_block, as_chart, as_json
from bench.peers.scripts.sheratan import DATA
from bench.peers.suites import DURABLE, QUEUES, Suite
from tools.check_dependencies import Lock, unlocked_peers

SIZES = Sizes(submits=5, bulk=5, starts=0)
JOBS = 12  # one more each, so that no connection is opened while the clock runs
SECONDS_MAX = 10.0  # for a process to start on a loaded machine, and to run them


def tiny(mode: str) -> Peer:
    return Peer(
        name="Tiny",
        environment="",
        script="tests.bench.tiny_peer",
        package="",
        settings="a few lines",
        stores="SQLite",
        sizes=SIZES,
        workers=own_workers(1),
        mode=mode,
        seconds_max=SECONDS_MAX,
        is_ours=True,
    )


def test_a_peer_is_measured(tmp_path: Path) -> None:
    figures, version = measure_once(tiny("good"), tmp_path, SIZES)
    assert version == ""
    assert figures.keys() == {"submit", "bulk", "drain", "workers"}
    assert all(value > 0 for value in figures.values())


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("twice", f"{JOBS + 1} handlers ran for {JOBS} jobs"),
        ("forgets", f"the drain did not end: after {SECONDS_MAX:g} s: {JOBS - 1} of {JOBS} jobs started"),
        ("never ends", f"the drain did not end: after {SECONDS_MAX:g} s: 1 jobs stayed unfinished"),
        ("dies", r"a worker ended \(1\): it gives up"),
    ],
)
def test_a_peer_that_does_not_do_its_work_has_no_figures(tmp_path: Path, mode: str, said: str) -> None:
    with pytest.raises(Failed, match=said):
        measure_once(tiny(mode), tmp_path, SIZES)


def test_the_rate_is_from_the_first_start_to_the_end() -> None:
    assert rate([12.0, 10.0, 11.0, 13.0], 14.0) == 1.0


def test_a_peer_that_cannot_run_says_why_and_ours_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "BASE", tmp_path / "environments")
    peer = next(peer for peer in QUEUES.peers if peer.environment == "huey" and peer.processes > 1)
    absent = dataclasses.replace(peer, python=(9, 9))
    ours, theirs = run(Bench(rounds=1, is_quick=True, base=tmp_path), QUEUES, [absent])
    assert theirs.reason == "not run: needs Python 9.9"
    assert theirs.samples == {}
    assert ours.samples.keys() == set(MEASURES)
    line = next(line for line in as_block({}, [ours, theirs], [], QUEUES).splitlines() if peer.name in line)
    assert "not run: needs Python 9.9" in line


def test_an_environment_wants_a_python_that_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "BASE", tmp_path)
    with pytest.raises(Missing, match=r"needs Python 9\.9"):
        ensure("huey", (9, 9))


EVERYBODY = [peer for suite in (QUEUES, DURABLE) for peer in (*suite.peers, *suite.ours)]


@pytest.mark.parametrize("peer", EVERYBODY, ids=lambda peer: f"{peer.name}, {peer.task}")
def test_every_peer_has_its_script_and_its_lock(peer: Peer) -> None:
    assert (ROOT / f"{peer.module.replace('.', '/')}.py").exists()
    assert peer.workers(peer.module)
    if not peer.is_ours:
        assert lock_of(peer.environment).exists()
        assert versions(peer.environment)[peer.package]


def test_a_group_without_its_lock_and_a_lock_without_its_group_are_faults() -> None:
    assert list(unlocked_peers({}, {"peer-x": [], "dev": []})) == [
        "requirements/peers/x.txt: there is no such lock: run make lock"
    ]
    lock = Lock("peers/y", {}, (), ())
    assert list(unlocked_peers({"peers/y": lock}, {})) == [
        "requirements/peers/y.txt: pyproject.toml has no group for it"
    ]
    assert list(unlocked_peers({"peers/y": lock}, {"peer-y": []})) == []


@pytest.mark.parametrize("suite", [QUEUES, DURABLE], ids=lambda suite: suite.title)
def test_sheratan_runs_the_same_task_with_as_many_processes(suite: Suite) -> None:
    for peer in suite.peers:
        ours = suite.ours_for(peer)
        assert (ours.processes, ours.task) == (peer.processes, peer.task)


def test_every_suite_has_its_section_of_the_page() -> None:
    assert tuple(suite.section for suite in (QUEUES, DURABLE)) == SECTIONS


def test_sheratan_takes_its_steps_beside_a_peer(tmp_path: Path) -> None:
    ours = DURABLE.ours[1]
    figures, _ = measure_once(ours, tmp_path, Sizes(submits=3, bulk=5, starts=2))
    assert figures.keys() == set(MEASURES) - {"server"}
    # One more each, so that no connection is opened while the clock runs, and the starts.
    database = apsw.Connection(str(tmp_path / "run" / DATA / "sheratan.db"), apsw.SQLITE_OPEN_READONLY)
    assert database.execute("SELECT count(*) FROM step").get == 10 * (4 + 6 + 2)
    database.close()


def test_only_names_peers_that_have_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--durable", "--only", "huey"])
    assert "--only: these have the task: dbos, absurd, restate" in capsys.readouterr().err


@pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine().lower() not in restate_server.ARCHITECTURES,
    reason="no server is made for this machine",
)
def test_a_server_that_is_not_the_known_one_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho other > server.tgz\n", "utf-8")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(restate_server, "BASE", tmp_path / "peers")
    with pytest.raises(Missing, match="its server is not the one that is known: sha512 "):
        restate_server.restate_binary()
    assert not (tmp_path / "peers").exists()


def test_a_program_of_its_own_gets_the_script() -> None:
    assert own_program("-m", "x", "{script}:app")("a.b") == (("-m", "x", "a.b:app"),)


def result(name: str, drain: list[float], ours: list[float] | None = None) -> Result:
    found = Result(dataclasses.replace(tiny("good"), name=name, is_ours=False), "1.0")
    for index, value in enumerate(drain):
        beside = {"drain": ours[index], "submit": 5.0} if ours else {}
        found.add({"submit": 10.0, "drain": value, "p50": 0.5}, beside)
    return found


def test_the_table_has_medians_and_the_ratios_of_pairs() -> None:
    block = as_block({"CPU": "one"}, [result("A & B", [10.0, 40.0], [20.0, 160.0])], ["A note."], QUEUES)
    assert "| A & B | 1.0 | SQLite | **10.0** [10.0 to 10.0] | - | **25.0** [10.0 to 40.0] | 0.50 |" in block
    assert "| 3.00 [2.00 to 4.00] | 0.50 [0.50 to 0.50] |" in block
    assert f"]({QUEUES.chart})" in block
    assert "no call for many jobs at once" in block


def test_all_lines_of_the_table_have_as_many_cells() -> None:
    failed = result("C", [])
    failed.reason = "failed: it fell over"
    results = [result("A", [10.0]), result("B", [2.0], [1.0]), failed]
    lines = [line for line in as_block({}, results, [], QUEUES).splitlines() if line.startswith("| ")]
    assert len({line.count(" |") for line in lines}) == 1


def test_the_chart_is_well_formed_and_says_every_value() -> None:
    failed = result("C <d>", [])
    failed.reason = "failed: it fell over & " + "over " * 40
    root = ElementTree.fromstring(
        as_chart([result("A", [1234.0]), result("B", [56.7]), failed], "Now.", DURABLE)
    )
    words = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"1,234", "56.7", "C <d>"} <= set(words)
    assert sum(word.startswith("failed: it fell over & over") for word in words) == 3
    assert words.index("A") < words.index("B") < words.index("C <d>")


def test_programs_get_every_sample() -> None:
    document = json.loads(as_json({"CPU": "one"}, [result("A", [1.0, 2.0], [3.0, 4.0])], []))
    (peer,) = document["peers"]
    assert (peer["samples"]["drain"], peer["ours"]["drain"]) == ([1.0, 2.0], [3.0, 4.0])
