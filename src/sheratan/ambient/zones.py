"""Time zones: the host's database, or that of the tzdata package where the host has none."""

from __future__ import annotations

from datetime import UTC, tzinfo
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final
from zoneinfo import TZPATH, ZoneInfo

from sheratan.contracts.errors import InvalidInput

__all__ = ["load_zone", "zone_rules"]

_VERSION_FILE: Final = "tzdata.zi"
_VERSION_MARK: Final = "# version "


def load_zone(name: str) -> tzinfo:
    """A time zone by its IANA name; InvalidInput names `zone` when neither the host nor tzdata knows it."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        # A folder of the database is an OSError, a name that leads out of it a ValueError.
        raise InvalidInput(
            f"this host knows no time zone {name!r}; names are like Europe/Berlin, and the package tzdata brings all",
            field="zone",
        ) from error


@cache
def zone_rules() -> str:
    """Which release of the time zone database is in force, such as 2026a; `unknown` when it does not say."""
    for folder in TZPATH:
        try:
            with (Path(folder) / _VERSION_FILE).open(encoding="ascii") as file:
                first = file.readline().strip()
        except (OSError, UnicodeDecodeError):
            continue
        if first.startswith(_VERSION_MARK):
            return first.removeprefix(_VERSION_MARK)
    try:
        return f"tzdata {metadata.version('tzdata')}"
    except metadata.PackageNotFoundError:
        return "unknown"
