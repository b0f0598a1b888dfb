"""The journal that is left of a data directory in which handlers ran."""

from __future__ import annotations

from pathlib import Path

from sheratan.engine.replay import replay
from sheratan.engine.verify import verify
from sheratan.store.sqlite.store import DATABASE_NAME, open_reader

__all__ = ["check_journal"]


def check_journal(data: Path) -> None:
    """It verifies, and every decision in it is derived again."""
    reader = open_reader(data / DATABASE_NAME, clock=lambda: 0)
    assert verify(reader).problems == []
    assert replay(reader).ok
    reader.close()
