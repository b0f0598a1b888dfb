"""What the command line is given: the host's side of every command, each part loaded when first used."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sheratan.cli.root import run

if TYPE_CHECKING:
    from sheratan.contracts.jobs import KindDescription
    from sheratan.contracts.simulation import Campaign, SimulatedRun
    from sheratan.contracts.workflows import Workflow
    from sheratan.settings import Settings
    from sheratan.store.archive import Archive
    from sheratan.store.sqlite.owner import Holder
    from sheratan.store.sqlite.reader import SqliteReader
    from sheratan.wiring.server import Server

__all__ = ["import_module", "main", "open_offline", "version"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(_Program(), list(sys.argv[1:] if arguments is None else arguments))


def version() -> str:
    """The installed version."""
    return importlib.metadata.version("sheratan")


def open_offline(data: Path) -> SqliteReader:
    """A reader of a data directory, whether a server runs on it or not."""
    from sheratan.ambient.clock import SystemClock  # noqa: PLC0415 - only when data is read
    from sheratan.store.sqlite.store import DATABASE_NAME, open_reader  # noqa: PLC0415

    return open_reader(data / DATABASE_NAME, clock=SystemClock().monotonic_us)


def import_module(name: str) -> ModuleType:
    """A module by name; the current folder counts, as it does for `python -m`."""
    here = str(Path.cwd())
    if "" not in sys.path and here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(name)


class _Program:
    """Fulfils `sheratan.cli.program.Program`."""

    def version(self) -> str:
        """The installed version."""
        return version()

    def serve(self, settings: Settings) -> Server:
        """A server as the settings say; it owns the data directory from here on."""
        from sheratan.wiring.server import settings_server  # noqa: PLC0415 - the engine's whole side

        return settings_server(settings)

    def open_reader(self, data: Path) -> SqliteReader:
        """A reader of a data directory."""
        return open_offline(data)

    def open_archive(self, folder: Path) -> Archive:
        """The files of archived segments in a folder."""
        from sheratan.ambient.folder import HostFolder  # noqa: PLC0415 - only when asked
        from sheratan.store.archive import Archive  # noqa: PLC0415

        return Archive(HostFolder(folder))

    def read_holder(self, data: Path) -> Holder | None:
        """Who owns a data directory now."""
        from sheratan.store.sqlite.owner import read_holder  # noqa: PLC0415 - only when asked

        return read_holder(data)

    def check_library(self) -> str:
        """The SQLite library's version, or UnsafeLibrary."""
        from sheratan.store.sqlite.library import check_library  # noqa: PLC0415 - only when asked

        return check_library()

    def describe_kinds(self, modules: Sequence[str]) -> tuple[list[KindDescription], list[str]]:
        """The kinds of these modules, and what kept others from loading."""
        from sheratan.wiring.server import load_kinds  # noqa: PLC0415 - kinds need pydantic

        kinds, problems = load_kinds(modules)
        return [kind.description for kind in kinds], problems

    def audit_workflow(self) -> Workflow:
        """The workflow that the demo runs."""
        from sheratan.kinds.audit.jobs import audit_workflow  # noqa: PLC0415 - kinds need pydantic

        return audit_workflow()

    def simulation_options(self, seed: int) -> dict[str, Any]:
        """The world that a seed draws."""
        from sheratan.simulation.campaign import options_of  # noqa: PLC0415 - only when asked

        return options_of(seed)

    def simulate_seed(self, seed: int, *, shrunken: bool) -> SimulatedRun:
        """The run of a seed."""
        from sheratan.simulation.campaign import run_seed  # noqa: PLC0415 - only when asked

        return run_seed(seed, shrunken=shrunken)

    def simulate_many(
        self,
        first_seed: int,
        seeds: int,
        *,
        processes: int,
        twice: bool,
        told: Callable[[SimulatedRun], None],
    ) -> Campaign:
        """A campaign of many seeds."""
        from sheratan.ambient.clock import SystemClock  # noqa: PLC0415 - only when asked
        from sheratan.simulation.campaign import run_campaign  # noqa: PLC0415

        return run_campaign(
            first_seed, seeds, clock=SystemClock(), processes=processes, twice=twice, told=told
        )
