"""The system's state: what may happen at all, since when, why, and who has said so."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from sheratan.contracts.health import ProbeRecord
from sheratan.contracts.request import Request

__all__ = [
    "ANY_SEVERITY",
    "Action",
    "Answer",
    "ChangeState",
    "GetState",
    "ListStateChanges",
    "Severity",
    "StateChange",
    "SystemRecord",
    "SystemState",
    "TargetState",
]

SystemState = Literal[
    "starting",
    "operational",
    "degraded_minor",
    "degraded_critical",
    "reflective",
    "recovery",
    "paused",
    "halted",
    "draining",
]
TargetState = Literal["operational", "reflective", "recovery", "paused", "halted"]
"""The states that a person may ask for."""

Severity = Literal["none", "minor", "critical"]

ANY_SEVERITY: Final[dict[str, Severity]] = {
    "degraded_minor": "minor",
    "degraded_critical": "critical",
    "halted": "critical",
}
"""How bad a state is; those that are not named are nothing bad."""

Action = Literal["intake", "dispatch", "settle", "admin", "upkeep"]
"""What a state allows or not.

`intake`: jobs, runs and children come in. `dispatch`: queued jobs start, schedules fire. `settle`: ends and steps of
attempts count, and time brings what it brings. `admin`: what people ask for. `upkeep`: bulk operations go on, jobs
and runs are pruned.
"""

Answer = Literal["allow", "defer", "refuse"]
"""`defer`: it is done once another state allows it; nothing is lost."""

StateReason = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class GetState(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the system stands."""


class ChangeState(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bring the system into another state; with `expected`, only if it is in that one now."""

    to: TargetState
    reason: StateReason
    expected: SystemState | None = None


class ListStateChanges(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The newest changes of the system's state, newest first."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100


class SystemRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How the system stands: its state, how bad that is, since when, why, by whom, and what it allows.

    `entry` is the journal entry that says so; None, with `since_us` and `actor`, as long as nothing has changed it.
    `affected` are the services that did not work when it came to be so; `probes` say how things stand now, where an
    engine is at work. `returns_to` is the state after the next start of an engine that drains.
    """

    state: SystemState
    severity: Severity
    since_us: int | None
    reason: str
    actor: str | None
    entry: int | None
    affected: list[str]
    allows: dict[Action, Answer]
    way_out: str
    returns_to: SystemState | None = None
    probes: list[ProbeRecord] = []


class StateChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the system's state, from its journal entry; `because` is the rule's sentence."""

    entry: int
    at_us: int
    source: SystemState
    to: SystemState
    reason: str
    actor: str
    affected: list[str]
    because: str
