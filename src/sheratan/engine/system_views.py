"""The system's state as people see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from sheratan.contracts.errors import Archived, NotFound
from sheratan.contracts.flow import BlockedBy
from sheratan.contracts.health import ProbeRecord
from sheratan.contracts.system import (
    ANY_SEVERITY,
    Action,
    ListStateChanges,
    StateChange,
    SystemRecord,
    SystemState,
)
from sheratan.engine.entries import read_entry
from sheratan.kernel.system import ALLOWED, WAYS_OUT, services_in
from sheratan.store.port import Reader

__all__ = ["blocked_by_state", "list_state_changes", "newest_of_system", "system_record"]


def system_record(
    reader: Reader, state: SystemState | None = None, probes: Sequence[ProbeRecord] = ()
) -> SystemRecord:
    """How the system stands; `state` and `probes` are what a running process says of itself."""
    row = reader.system()
    latch = reader.latch()
    if latch is not None:
        # Not in the journal yet, and as good as: the next start writes it down first.
        row = row._replace(
            state="halted", since_us=latch.at_us, reason=latch.reason, actor="engine", entry=None
        )
    since_us, reason, actor, entry = row.since_us, row.reason, row.actor, row.entry
    if row.draining is not None:
        drains = read_entry(reader, row.draining)
        since_us, reason, actor, entry = drains.at, drains.data["reason"], drains.actor, drains.seq
    current = state or row.current
    return SystemRecord(
        state=current,
        severity=ANY_SEVERITY.get(current, "none"),
        since_us=since_us,
        reason=reason,
        actor=actor,
        entry=entry,
        affected=services_in(row.affected),
        allows=dict(zip(get_args(Action), ALLOWED[current], strict=True)),
        way_out=WAYS_OUT.get(current, ""),
        returns_to=None if row.draining is None else row.state,
        probes=list(probes),
    )


def list_state_changes(reader: Reader, request: ListStateChanges) -> list[StateChange]:
    """The newest changes of the state, newest first, as far as the journal goes back."""
    changes: list[StateChange] = []
    seq = reader.system().entry
    while seq is not None and len(changes) < request.limit:
        try:
            entry = read_entry(reader, seq)
        except Archived:
            break
        changes.append(
            StateChange(
                entry=seq,
                at_us=entry.at,
                source=entry.data["from"],
                to=entry.data["to"],
                reason=entry.data["reason"],
                actor=entry.actor,
                affected=entry.data.get("affected", []),
                because=(entry.decision or {})["because"],
            )
        )
        seq = entry.previous
    return changes


def newest_of_system(reader: Reader, subject: str) -> tuple[int | None, str]:
    """The newest entry about the system, and how it stands."""
    if subject != "system":
        raise NotFound(f"nothing is recorded about {subject!r}", field="id")
    row = reader.system()
    return row.entry, row.current


def blocked_by_state(reader: Reader) -> BlockedBy | None:
    """Why no queued job starts, where that is the system's state."""
    found = system_record(reader)
    if found.allows["dispatch"] == "allow":
        return None
    return BlockedBy(
        what="state",
        subject="system",
        since_us=found.since_us or 0,
        until_us=None,
        text=f"the system, which {found.actor} has made {found.state} ({found.reason})",
        entry=found.entry,
    )
