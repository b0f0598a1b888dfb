"""What people set for queues, kinds and tenants: pauses, and limits on the starts of their jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sheratan.contracts.errors import LimitReached, NotFound
from sheratan.contracts.flow import FlowLimits, PartitionLimits
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.journal import EntryType
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import LimitStarts, Pause, Resume
from sheratan.engine.flow_state import FlowKey, rate_of, subjects_of
from sheratan.engine.words import check_reason
from sheratan.kernel.fold_flow import limit_columns, partition_columns
from sheratan.kernel.rate import refit
from sheratan.store.rows import FlowRow, PaceRow

__all__ = ["declare", "declared", "limit", "pause", "resume"]

_PAUSED: Final[dict[str, EntryType]] = {
    "queue": "queue.paused",
    "kind": "kind.paused",
    "tenant": "tenant.paused",
}
_RESUMED: Final[dict[str, EntryType]] = {
    "queue": "queue.resumed",
    "kind": "kind.resumed",
    "tenant": "tenant.resumed",
}


def pause(batch: Batch, command: Pause, by: Principal) -> bool:
    """Start no more jobs of a queue, kind or tenant; False when it was paused already."""
    check_reason(command.reason)
    check_own(command.subject, by)
    row = _row(batch, command.subject, by)
    if row.paused:
        return False
    row = row._replace(paused=batch.unit.next_seq, reason=command.reason)
    _set(batch, _PAUSED[_what(command.subject)], row, {"reason": command.reason}, by)
    return True


def resume(batch: Batch, command: Resume, by: Principal) -> bool:
    """Start jobs of a queue, kind or tenant again; False when it was not paused."""
    check_own(command.subject, by)
    row = batch.state.flow.rows.get((by.tenant, command.subject))
    if row is None or not row.paused:
        return False
    _set(batch, _RESUMED[_what(command.subject)], row._replace(paused=0, reason=""), {}, by)
    return True


def limit(batch: Batch, command: LimitStarts, by: Principal) -> int:
    """Set the limits of a queue, kind or tenant, which hold from this batch on; returns the entry that says so."""
    check_reason(command.reason)
    check_own(command.subject, by)
    row = _row(batch, command.subject, by)
    return _limit(batch, row, command.limits, {"reason": command.reason}, by)


def declared(batch: Batch, kinds: Sequence[KindDescription], by: Principal) -> list[KindDescription]:
    """The kinds that come with limits which are to hold from now on; LimitReached when there are too many.

    What somebody has set outranks what comes with a kind.
    """
    rows, most = batch.state.flow.rows, batch.state.limits.queues_max
    found: list[KindDescription] = []
    for kind in _newest(kinds):
        row = rows.get((by.tenant, f"kind:{kind.name}"))
        wanted, stands = _columns(_told(kind.limits)), _NOTHING if row is None else _limits_of(row)
        if wanted != stands and (row is None or row.declared or stands == _NOTHING):
            found.append(kind)
    new = sum((by.tenant, f"kind:{kind.name}") not in rows for kind in found)
    if new and len(rows) + new > most:
        raise LimitReached(_TOO_MANY.format(most), field="registration.kinds")
    return found


def _newest(kinds: Sequence[KindDescription]) -> Iterable[KindDescription]:
    """Each kind once: what comes with the newest of its versions holds for all of them."""
    return {kind.name: kind for kind in sorted(kinds, key=lambda one: one.version)}.values()


def declare(batch: Batch, kind: KindDescription, by: Principal, cause: int) -> None:
    """Let the limits hold that come with a kind."""
    _limit(batch, _row(batch, f"kind:{kind.name}", by), kind.limits, {"declared": True}, by, cause)


_TOO_MANY = "{} queues, kinds and tenants have been paused or limited before (limits.queues_max)"


def _columns(told: dict[str, Any]) -> tuple[int, ...]:
    return (*limit_columns(told), *partition_columns(told), told.get("ageing_us", 0))


_NOTHING = _columns({})


def _limits_of(row: FlowRow) -> tuple[int, ...]:
    limits = row.concurrency, row.rate_count, row.rate_period_us, row.rate_burst, row.weight
    return (*limits, *row.per_partition, row.ageing_us)


def _limit(
    batch: Batch,
    row: FlowRow,
    limits: FlowLimits,
    data: dict[str, Any],
    by: Principal,
    cause: int | None = None,
) -> int:
    told = _told(limits)
    is_declared, each = int("declared" in data), partition_columns(told)
    # Under another rate per partition all of them begin anew: to look at each would take as long as there are many.
    forgets = each[1:] != row.per_partition[1:]
    ageing_us = told.get("ageing_us", 0)
    row = FlowRow(*row[:4], *limit_columns(told), is_declared, row.entry, *each, ageing_us)
    if forgets:
        batch.unit.partitions.forgotten.add((row.tenant, row.subject))
    entry = _set(batch, "flow.limited", row, {"limits": told} | data, by, cause)
    key, held = (row.tenant, row.subject), batch.state.held.values()
    running = [one.job.lane for one in held if key in subjects_of(batch.state.lane_of(one.job))]
    batch.state.partitions.set_limits(key, running, forgets=forgets)
    _refit(batch, key, row)
    return entry


def _told(limits: FlowLimits) -> dict[str, Any]:
    """Limits as an entry tells them: integers, and nothing of what is not limited."""
    told = _told_bounds(limits)
    if limits.weight != 1:
        told["weight"] = limits.weight
    if limits.ageing_seconds is not None:
        told["ageing_us"] = round(limits.ageing_seconds * 1_000_000)
    each = _told_bounds(limits.per_partition) if limits.per_partition else None
    if each:
        told["per_partition"] = each
    return told


def _told_bounds(limits: FlowLimits | PartitionLimits) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if limits.concurrency is not None:
        told["concurrency"] = limits.concurrency
    if limits.rate is not None:
        told["rate"] = [limits.rate.count, round(limits.rate.period_seconds * 1_000_000), limits.rate.burst]
    return told


def _refit(batch: Batch, key: FlowKey, row: FlowRow) -> None:
    """What was started before counts under the new rate, too."""
    flow, rate = batch.state.flow, rate_of(row)
    pace = flow.paces.pop(key, None)
    if pace is None:
        return
    batch.unit.paces[key] = None
    if rate is not None:
        flow.paces[key] = refit(rate, pace, batch.at_us)
        batch.unit.paces[key] = PaceRow(*key, *flow.paces[key])


def _what(subject: str) -> str:
    """`queue`, `kind` or `tenant`."""
    return subject.partition(":")[0]


def check_own(subject: str, by: Principal) -> None:
    """NotFound when this is about a tenant that the caller does not act for: it learns nothing of others."""
    if _what(subject) == "tenant" and subject != f"tenant:{by.tenant}":
        raise NotFound(f"you act for no tenant {subject.partition(':')[2]}", field="tenant")


def _row(batch: Batch, subject: str, by: Principal) -> FlowRow:
    """What is set so far; LimitReached when nothing is, and no more can be kept."""
    known, most = batch.state.flow.rows, batch.state.limits.queues_max
    row = known.get((by.tenant, subject))
    if row is None and len(known) >= most:
        raise LimitReached(_TOO_MANY.format(most), field=_what(subject))
    return row or FlowRow(by.tenant, subject, 0, "", *limit_columns({}), 0, -1)


def _set(
    batch: Batch,
    entry_type: EntryType,
    row: FlowRow,
    data: dict[str, Any],
    by: Principal,
    cause: int | None = None,
) -> int:
    state, key = batch.state, (row.tenant, row.subject)
    previous = row.entry if row.entry >= 0 else None
    entry = batch.unit.record(entry_type, row.subject, data, by, previous=previous, cause=cause)
    row = row._replace(entry=entry)
    batch.unit.flows[key] = row
    running = sum(key in subjects_of(state.lane_of(held.job)) for held in state.held.values())
    state.flow.put(row, state.lane_by_number.values(), running)
    # What is beyond the windows is to be looked at where priorities age.
    state.dry.update(state.flow.ageing)
    return entry
