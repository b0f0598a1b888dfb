"""How memory is read, and how what is used of it, and the lag of the loop, become a level of pressure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sheratan.ambient.memory import Memory, read_memory
from sheratan.contracts.pressure import PressureLevel, PressureRecord, PressureSettings
from sheratan.kernel.pressure import reason_of_pressure, weigh

MIB = 1 << 20
PAGES = MIB // os.sysconf("SC_PAGE_SIZE")
SETTINGS = PressureSettings()


def machine(root: Path, *, group: str = "0::/", resident: int = 100) -> Path:
    """A machine with 1000 MiB of memory, of which the process has so many resident."""
    own = root / "proc" / "self"
    own.mkdir(parents=True)
    (own / "statm").write_text(f"999999 {resident * PAGES} 3 4 0 5 0\n")
    (own / "cgroup").write_text(f"12:pids:/else\n{group}\n")
    (root / "proc" / "meminfo").write_text("MemTotal:        1024000 kB\nMemFree: 1 kB\n\n")
    return root


def limit(root: Path, path: str, current: int, dropped: int = 0, **limits: str) -> None:
    """A control group uses so many MiB, of which so many are files that may be dropped."""
    folder = root / "sys" / "fs" / "cgroup" / path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.current").write_text(f"{current * MIB}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {dropped * MIB}\n")
    for name, text in limits.items():
        (folder / f"memory.{name}").write_text(f"{text}\n")


def test_without_a_limit_the_machine_is_the_limit(tmp_path: Path) -> None:
    assert read_memory(root=machine(tmp_path)) == Memory(100 * MIB, 1_000 * MIB)


def test_a_limit_that_is_set_takes_the_place_of_the_machine(tmp_path: Path) -> None:
    assert read_memory(200 * MIB, machine(tmp_path)) == Memory(100 * MIB, 200 * MIB)


def test_a_control_group_counts_all_in_it_but_what_may_be_dropped(tmp_path: Path) -> None:
    limit(machine(tmp_path), "", 300, 50, max=str(400 * MIB))
    assert read_memory(root=tmp_path) == Memory(250 * MIB, 400 * MIB)


def test_the_closest_limit_of_all_groups_above_counts(tmp_path: Path) -> None:
    machine(tmp_path, group="0::/a/b")
    limit(tmp_path, "a/b", 150, max="max", high=str(900 * MIB))
    limit(tmp_path, "a", 180, max=str(200 * MIB), high="max")
    limit(tmp_path, "", 500, max="max")
    assert read_memory(root=tmp_path) == Memory(180 * MIB, 200 * MIB)


def test_a_group_that_is_slowed_down_before_it_is_killed_counts_from_there(tmp_path: Path) -> None:
    limit(machine(tmp_path), "", 300, max=str(900 * MIB), high=str(310 * MIB))
    assert read_memory(root=tmp_path) == Memory(300 * MIB, 310 * MIB)


def test_files_that_say_nothing_sensible_are_no_limit(tmp_path: Path) -> None:
    limit(machine(tmp_path), "", 300, max="much")
    assert read_memory(root=tmp_path) == Memory(100 * MIB, 1_000 * MIB)


def test_the_machine_that_this_runs_on_can_be_read() -> None:
    used, most = read_memory()
    assert 0 < used < most


@pytest.mark.parametrize(
    ("before", "permille", "after"),
    [
        ("none", 799, "none"),
        ("none", 800, "high"),
        ("none", 900, "critical"),
        ("high", 721, "high"),
        ("high", 719, "none"),
        ("critical", 811, "critical"),
        ("critical", 809, "high"),
        ("critical", 719, "none"),
        ("critical", 950, "critical"),
    ],
)
def test_pressure_of_memory_rises_at_once_and_falls_a_tenth_below(
    before: PressureLevel, permille: int, after: PressureLevel
) -> None:
    found = PressureRecord(memory_bytes=permille, memory_limit_bytes=1_000)
    assert weigh(before, found, SETTINGS) == after


@pytest.mark.parametrize(
    ("before", "lag_us", "after"),
    [
        ("none", 499_999, "none"),
        ("none", 500_000, "high"),
        ("high", 460_000, "high"),
        ("high", 440_000, "none"),
        ("high", 5_000_000, "critical"),
        ("critical", 4_600_000, "critical"),
        ("critical", 4_400_000, "high"),
    ],
)
def test_pressure_of_lag_rises_at_once_and_falls_a_tenth_below(
    before: PressureLevel, lag_us: int, after: PressureLevel
) -> None:
    assert weigh(before, PressureRecord(lag_us=lag_us), SETTINGS) == after


@pytest.mark.parametrize(
    ("before", "wait_us", "after"),
    [
        ("none", 499_999, "none"),
        ("none", 500_000, "high"),
        ("high", 460_000, "high"),
        ("high", 440_000, "none"),
        ("high", 2_000_000, "critical"),
        ("critical", 1_790_000, "high"),
    ],
)
def test_pressure_of_waiting_commands_rises_at_once_and_falls_a_tenth_below(
    before: PressureLevel, wait_us: int, after: PressureLevel
) -> None:
    assert weigh(before, PressureRecord(wait_us=wait_us), SETTINGS) == after


def test_the_reason_names_what_there_is() -> None:
    found = PressureRecord(
        memory_bytes=950 * MIB, memory_limit_bytes=1_000 * MIB, lag_us=1_500_000, wait_us=700_000
    )
    text = "950 of 1000 MiB of memory are used and the event loop is 1.5 s late and commands wait for 0.7 s"
    assert reason_of_pressure(found) == text
    assert reason_of_pressure(PressureRecord()) == "nothing is wrong any more"
