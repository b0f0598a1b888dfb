"""What wiring passes in: the host's side of the commands. The command line itself knows no store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sheratan.contracts.jobs import KindDescription
    from sheratan.contracts.simulation import Campaign, SimulatedRun
    from sheratan.contracts.workflows import Workflow
    from sheratan.engine.archive import Archive
    from sheratan.engine.views import Reader
    from sheratan.settings import Settings

__all__ = ["Holder", "Program", "Serving"]


class Holder(Protocol):
    """Who owns a data directory."""

    @property
    def pid(self) -> int:
        """The process."""
        ...

    @property
    def program(self) -> str:
        """What it runs."""
        ...

    @property
    def since_us(self) -> int:
        """Since when, in microseconds since the epoch."""
        ...


class Serving(Protocol):
    """A server that owns its data directory."""

    @property
    def problems(self) -> list[str]:
        """What keeps it from being ready."""
        ...

    async def start_modules(self, modules: Sequence[str]) -> list[str]:
        """Start with the kinds of these modules and return the kinds' names."""
        ...

    async def stop(self, drain_seconds: float, reason: str) -> None:
        """Drain, hand back what does not end in time, and give the data directory back."""
        ...


class Program(Protocol):
    """What the commands ask of the host. It is the context object of every click command."""

    def version(self) -> str:
        """The installed version."""
        ...

    def serve(self, settings: Settings) -> Serving:
        """A server as the settings say, not started yet; DataDirectoryInUse when another one runs there."""
        ...

    def open_reader(self, data: Path) -> Reader:
        """A reader of a data directory, whether a server runs on it or not."""
        ...

    def open_archive(self, folder: Path) -> Archive:
        """The files of archived segments in a folder."""
        ...

    def read_holder(self, data: Path) -> Holder | None:
        """Who owns a data directory now."""
        ...

    def check_library(self) -> str:
        """The database library's version, or UnsafeLibrary."""
        ...

    def describe_kinds(self, modules: Sequence[str]) -> tuple[list[KindDescription], list[str]]:
        """The kinds of these modules, and what kept others from loading."""
        ...

    def audit_workflow(self) -> Workflow:
        """The workflow that the demo runs."""
        ...

    def simulation_options(self, seed: int) -> dict[str, Any]:
        """The world that a seed draws."""
        ...

    def simulate_seed(self, seed: int, *, shrunken: bool) -> SimulatedRun:
        """The run of a seed; `shrunken`: the simplest one that breaks the same promise, if it breaks one."""
        ...

    def simulate_many(
        self,
        first_seed: int,
        seeds: int,
        *,
        processes: int,
        twice: bool,
        told: Callable[[SimulatedRun], None],
    ) -> Campaign:
        """A campaign of many seeds; `told` hears of each run."""
        ...
