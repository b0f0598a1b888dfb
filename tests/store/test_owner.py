"""One owner per data directory, for as long as it lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sheratan.contracts.errors import DataDirectoryInUse, InvalidInput
from sheratan.store.sqlite.owner import Holder, OwnerLock, read_holder

HOLD = """
import sys
from pathlib import Path
from sheratan.store.sqlite.owner import Holder, OwnerLock
import os
lock = OwnerLock(Path(sys.argv[1]), Holder(pid=os.getpid(), program="a test", since_us=7))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(directory: Path) -> Generator[subprocess.Popen[str]]:
    """Another process holds the directory."""
    command = [sys.executable, "-c", HOLD, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def mine() -> Holder:
    return Holder(pid=os.getpid(), program="mine", since_us=1)


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with held(tmp_path) as process:
        with pytest.raises(DataDirectoryInUse, match=f"process {process.pid} \\(a test\\)") as refused:
            OwnerLock(tmp_path, mine())
        assert refused.value.field == "data"
        assert read_holder(tmp_path) == Holder(pid=process.pid, program="a test", since_us=7)


def test_the_lock_goes_with_a_holder_that_was_killed(tmp_path: Path) -> None:
    with held(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        lock = OwnerLock(tmp_path, mine())
        lock.release()


def test_a_released_directory_is_free(tmp_path: Path) -> None:
    OwnerLock(tmp_path, mine()).release()
    assert read_holder(tmp_path) is None
    OwnerLock(tmp_path, mine()).release()


def test_the_same_process_cannot_own_it_twice(tmp_path: Path) -> None:
    lock = OwnerLock(tmp_path, mine())
    with pytest.raises(DataDirectoryInUse):
        OwnerLock(tmp_path, mine())
    lock.release()


def test_a_directory_that_was_never_owned_has_no_holder(tmp_path: Path) -> None:
    assert read_holder(tmp_path) is None
    assert read_holder(tmp_path / "not there") is None


def test_the_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    lock = OwnerLock(tmp_path / "a" / "b", mine())
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "b" / "owner.lock").stat().st_mode & 0o777 == 0o600
    lock.release()


def test_a_path_that_is_a_file_is_refused_by_field(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInput) as refused:
        OwnerLock(tmp_path / "file", mine())
    assert refused.value.field == "data"
