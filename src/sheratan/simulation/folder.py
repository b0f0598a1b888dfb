"""A folder of the simulated host for the archive: what was not synced when the power goes may be lost, or torn."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from sheratan.contracts.errors import Unavailable
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage

__all__ = ["SimulatedFolder"]


class _File:
    """What a file holds, and what of it is durable."""

    def __init__(self) -> None:
        self.body = b""
        self.durable = b""


class SimulatedFolder:
    """Files by name. Each step may find the disk full, or be the last one of its process."""

    def __init__(self, choices: Choices, coverage: Coverage) -> None:
        self.is_full: Callable[[], bool] = lambda: False
        self.sync_fails: Callable[[], bool] = lambda: False
        self.before_step: Callable[[], None] = lambda: None
        """Called before each step that changes something; it may end the process."""
        self._choices = choices
        self._coverage = coverage
        self._files: dict[str, _File] = {}
        self._durable: dict[str, _File] = {}

    def of_process(self, before_step: Callable[[], None]) -> SimulatedFolder:
        """The same folder, for a process that may end before each of its steps."""
        mine = copy(self)
        mine.before_step = before_step
        return mine

    def read(self, name: str) -> bytes | None:
        """What a file holds; None when it is not there."""
        file = self._files.get(name)
        return None if file is None else file.body

    def write(self, name: str, body: bytes) -> None:
        """Write a file anew, in two halves."""
        self.before_step()
        file = self._files.setdefault(name, _File())
        file.body = body[: len(body) // 2]
        self.before_step()
        self._may_fail(self.is_full)
        file.body = body

    def sync(self, name: str) -> None:
        """Make what a file holds durable."""
        self.before_step()
        self._may_fail(self.sync_fails)
        self._files[name].durable = self._files[name].body

    def rename(self, name: str, to: str) -> None:
        """Give a file another name, in place of whatever has it."""
        self.before_step()
        if to in self._files:
            self._coverage.hit("archive.leftover")
        self._files[to] = self._files.pop(name)

    def sync_names(self) -> None:
        """Make it durable which files there are."""
        self.before_step()
        self._may_fail(self.sync_fails)
        self._keep_names()
        self.before_step()

    def cut_power(self) -> None:
        """What was not synced has arrived, or it has not, or in part."""
        if self._choices.chance("archive.names_lost", 500):
            self._files.clear()
            self._files.update(self._durable)
        for _, file in sorted(self._files.items()):
            if file.body != file.durable:
                fate = self._choices.pick("archive.power", ("kept", "lost", "torn"))
                if fate != "kept":
                    file.body = file.durable if fate == "lost" else file.body[: len(file.body) // 3]
                file.durable = file.body
        self._keep_names()

    def _may_fail(self, fails: Callable[[], bool]) -> None:
        if fails():
            self._coverage.hit("archive.disk_failed")
            raise Unavailable("the simulated disk is full, or a sync of it has failed")

    def _keep_names(self) -> None:
        self._durable.clear()
        self._durable.update(self._files)
