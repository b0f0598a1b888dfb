"""The composition root: the only folder that knows which store, clock and doors are used.

`program` is what every command needs and loads quickly; `server` holds the engine and loads when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheratan.wiring.program import main, open_offline, version

if TYPE_CHECKING:
    from sheratan.wiring.server import Server, open_engine

__all__ = ["Server", "main", "open_engine", "open_offline", "version"]


def __getattr__(name: str) -> Any:
    """The engine's side costs more to load than most commands take to run."""
    if name in ("Server", "open_engine"):
        from sheratan.wiring import server  # noqa: PLC0415 - see above

        return getattr(server, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
