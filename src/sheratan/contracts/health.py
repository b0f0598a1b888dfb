"""Probes: what the engine looks at to know how the system stands, what they find, and what is set for them."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, NamedTuple, get_args

import msgspec

from sheratan.contracts.guards import GuardSettings
from sheratan.contracts.patterns import DEPENDENCY

__all__ = [
    "ERROR_LENGTH_MAX",
    "PROBE_REASONS",
    "Address",
    "BuiltinProbe",
    "Dependency",
    "DependencyName",
    "HealthSettings",
    "ProbeHealth",
    "ProbeRecord",
    "ProbeSettings",
    "address_of",
    "check_names",
]

BuiltinProbe = Literal["commit", "lease", "disk", "clock"]
"""What every engine looks at.

`commit`: can it commit? `lease`: does the decider answer? `disk`: is there room? `clock`: is the wall clock steady?
"""

ProbeHealth = Literal["unknown", "up", "down"]

ERROR_LENGTH_MAX: Final = 100
"""Characters that are kept of why a probe failed: evidence of all that can be declared fits into one journal entry."""

DEPENDENCIES_MAX: Final = 128

DependencyName = Annotated[str, msgspec.Meta(pattern=DEPENDENCY)]
"""Name of a dependency or a service: small letters, digits, `_` and `-`, at most 32."""

Seconds = Annotated[float, msgspec.Meta(gt=0, le=3_600)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000)]

_PORTS: Final = {"tcp": None, "http": 80, "https": 443}
_URL: Final = re.compile(
    r"(tcp|https?)://(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?((?:/[!-~]*)?)"
)
"""No user and no password: settings are shown to whoever looks."""


class Address(NamedTuple):
    """Where a dependency is reached: `tcp`, `http` or `https`, the host, the port, and for HTTP what to ask for."""

    scheme: str
    host: str
    port: int
    target: str


def address_of(url: str) -> Address:
    """The address in a URL; ValueError when it is none that a dependency may have."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(
            "a dependency is reached by tcp://HOST:PORT, http://HOST… or https://HOST…, without a user"
        )
    scheme, literal, host, digits, target = found.groups()
    port = int(digits) if digits else _PORTS[scheme]
    if port is None or not 0 < port < 1 << 16:
        raise ValueError("a port is a number from 1 to 65535, and tcp:// has to name one")
    return Address(scheme, literal or host, port, target or "/")


class Dependency(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something outside that jobs need: where it is reached, whether nothing may start without it, what it serves.

    One without a `url` is not looked at; `guard` is how calls of it are guarded.
    """

    url: str = ""
    critical: bool = False
    affects: Annotated[tuple[DependencyName, ...], msgspec.Meta(max_length=3)] = ()
    """The services that do not work without it; itself when none is named."""

    guard: GuardSettings = GuardSettings()

    def __post_init__(self) -> None:
        if self.url:
            address_of(self.url)
        elif self.critical or self.affects:
            raise ValueError("a dependency without a url is not looked at: nothing can follow from it")


class ProbeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How probes are made, and when what they find changes the system's state."""

    interval_seconds: Seconds = 1.0
    timeout_seconds: Seconds = 1.0
    stall_seconds: Seconds = 10.0
    at_once: Annotated[int, msgspec.Meta(ge=1, le=DEPENDENCIES_MAX)] = DEPENDENCIES_MAX
    down_after: Count = 3
    up_after: Count = 3
    dwell_seconds: Seconds = 60.0
    idle_commit_seconds: Seconds = 5.0
    disk_free_bytes_min: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] = 64 << 20
    disk_free_permille_min: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    clock_step_seconds: Seconds = 1.0
    clock_settle_seconds: Seconds = 60.0
    critical: tuple[BuiltinProbe, ...] = ("commit", "lease", "disk")


PROBE_REASONS: Final[dict[str, str]] = {
    "interval_seconds": "from one round of probes to the next; a failure is told within five seconds",
    "timeout_seconds": "how long the disk or a dependency may take to answer one probe",
    "stall_seconds": "how long the engine may go without an answer to its own probe: a busy disk may sync for seconds",
    "at_once": "probes under way at once; all that can be declared, so that a round takes no longer than one timeout",
    "down_after": "failures in a row after which it is down; a lost packet is not an outage",
    "up_after": "successes in a row after which it is up again",
    "dwell_seconds": "how long a degraded state lasts at least, so that the state changes back at most once a minute",
    "idle_commit_seconds": "after so long without a commit one is made to see that it still works",
    "disk_free_bytes_min": "below this the log of a busy hour may not fit",
    "disk_free_permille_min": "the same as a share of the disk; 0: only the bytes count, as disks differ too much",
    "clock_step_seconds": "how far the wall clock may move against the time that has passed",
    "clock_settle_seconds": "how long a clock that was set does not count as steady",
    "critical": "the built-in probes without which nothing may start; the others only make it degraded_minor",
}


class HealthSettings(NamedTuple):
    """What an engine goes by that looks after itself."""

    probes: ProbeSettings
    dependencies: dict[str, Dependency]


class ProbeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A probe as it stands: since when it is up or down, the last error, and how it has been doing.

    `failing_permille` and `latency_us` are moving averages. `overridden`: it is down, and a person lets everything go
    on all the same, until it has been up again. `error` is why the last sample failed; None when it did not.
    """

    name: str
    health: ProbeHealth
    critical: bool
    affects: list[str]
    since_us: int | None
    error: str | None
    failing_permille: int
    latency_us: int
    overridden: bool


def check_names(dependencies: dict[str, Dependency]) -> str | None:
    """What is wrong with the names of dependencies; None when nothing is."""
    if len(dependencies) > DEPENDENCIES_MAX:
        return f"at most {DEPENDENCIES_MAX} can be declared: the evidence of all has to fit into one journal entry"
    for name in get_args(BuiltinProbe):
        if name in dependencies:
            return f"{name} is a built-in probe; call the dependency otherwise"
    return None
