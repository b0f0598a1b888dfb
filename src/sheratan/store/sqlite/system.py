"""Reads of the system's state."""

from __future__ import annotations

from itertools import starmap

from sheratan.kernel.system import UNCHANGED, SystemFact
from sheratan.store.port_system import Latch
from sheratan.store.sqlite.alerts import SqliteAlerts
from sheratan.store.sqlite.latch import read_latch

__all__ = ["SqliteSystem"]


class SqliteSystem(SqliteAlerts):
    """Reads of the state that outlasts a process, and of alerts."""

    def system(self) -> SystemFact:
        """How the system stands."""
        return next(starmap(SystemFact, self._rows("select_system")), UNCHANGED)

    def latch(self) -> Latch | None:
        """The halt that is kept beside the database until an engine has written it into the journal."""
        return read_latch(self._connection.filename)
