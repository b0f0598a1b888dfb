"""The five questions, answered from recorded facts alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sheratan.contracts.api import EngineStatus
from sheratan.contracts.errors import Archived
from sheratan.contracts.guards import GuardRecord
from sheratan.contracts.health import ProbeRecord
from sheratan.contracts.jobs import JobRecord
from sheratan.contracts.journal import Entry
from sheratan.contracts.limits import Limits
from sheratan.contracts.pressure import NO_PRESSURE, PressureRecord
from sheratan.contracts.principal import DEFAULT_TENANT
from sheratan.contracts.system import SystemRecord, SystemState
from sheratan.engine.alert_views import open_alerts
from sheratan.engine.billing_views import list_budgets, list_spending
from sheratan.engine.blockers import Blockers
from sheratan.engine.engine import Engine
from sheratan.engine.entries import read_entry
from sheratan.engine.explain import previous_entry
from sheratan.engine.ids import job_id
from sheratan.engine.schedule_views import schedules_lag_us
from sheratan.engine.state import State
from sheratan.engine.system_views import system_record
from sheratan.engine.views import job_record
from sheratan.kernel.alerting import AlertFact
from sheratan.kernel.pressure import reason_of_pressure
from sheratan.kernel.story import tell
from sheratan.kernel.words import count
from sheratan.store.port import Reader, Shard
from sheratan.store.rows import Ready

__all__ = ["Facts", "facts_of", "status"]

_NAMED_MAX = 3
_NEWEST_READ_MAX = 200


class Facts(NamedTuple):
    """What only the process itself knows. A stopped data directory has none of it."""

    ready: bool
    problems: list[str]
    version: str
    pid: int | None
    data: str
    workers: list[str]
    limits: Limits | None
    halted: str | None = None
    unstored_state: SystemState | None = None
    now_us: int | None = None
    archive_problem: str | None = None
    probes: Sequence[ProbeRecord] = ()
    guards: Sequence[GuardRecord] = ()
    pressure: PressureRecord = NO_PRESSURE
    unwritten_alerts: Mapping[str, AlertFact] = {}
    alert_problems: Sequence[str] = ()
    next_jobs: Sequence[int] = ()
    """Those that have waited longest among the jobs that are next in their lanes."""
    offered: frozenset[str] | None = None


def facts_of(engine: Engine, data: str, archive_problem: str | None, alert_problems: Sequence[str]) -> Facts:
    """What the process of an engine knows. Only between batches: on the engine's loop."""
    return Facts(
        ready=engine.ready,
        problems=engine.problems,
        version=engine.version,
        pid=os.getpid(),
        data=data,
        workers=[session.subject for session in engine.state.sessions.values()],
        limits=engine.limits,
        halted=engine.halted,
        unstored_state=engine.unstored_state,
        now_us=engine.now_us(),
        archive_problem=archive_problem,
        probes=engine.probes,
        guards=engine.guards(),
        pressure=engine.pressure,
        unwritten_alerts=engine.unwritten_alerts,
        alert_problems=alert_problems,
        next_jobs=_next_jobs(engine.state),
        offered=engine.offered,
    )


def _next_jobs(state: State) -> list[int]:
    heads = [state.windows[number].first for number in state.busy_lanes]
    found = sorted((head.since_us, head.number) for head in heads if head is not None)
    return [number for _, number in found[:_NAMED_MAX]]


def status(reader: Reader, facts: Facts) -> EngineStatus:
    """What am I doing, why, who asked, what was my last stable state, what would be the safe alternative."""
    shard, counts, dead = reader.shard(), reader.counts(), reader.dead_letter_count()
    changed = reader.code_changed_count()
    system = system_record(reader, facts.unstored_state, facts.probes)
    approvals = reader.open_approvals()
    state = system.state if facts.pid is not None else ("stopped" if shard.clean else "interrupted")
    return EngineStatus(
        ready=facts.ready and not facts.problems and _takes_in(facts, system),
        problems=facts.problems + _refusal(facts, system) + _pressure(facts.pressure),
        doing=_doing(reader, counts, state, dead, changed) + _approvals(reader, approvals),
        why=_why(reader, shard.head.seq),
        who_asked=_who_asked(reader),
        last_stable_state=_last_stable(reader, shard),
        safe_alternative=_alternative(facts, state, system, counts),
        version=facts.version,
        pid=facts.pid,
        data=facts.data,
        state=state,
        system=system,
        counts=counts,
        ended=reader.ended_counts(),
        dead_letters=dead,
        code_changed=changed,
        approvals=len(approvals),
        entries=shard.head.seq,
        head=shard.head.hash,
        workers=facts.workers,
        limits=facts.limits,
        schedules=reader.schedule_count(),
        schedules_lag_us=schedules_lag_us(reader, shard.head.at if facts.now_us is None else facts.now_us),
        archive_problem=facts.archive_problem,
        guards=list(facts.guards),
        pressure=facts.pressure,
        alerts=open_alerts(reader, facts.unwritten_alerts),
        alert_problems=list(facts.alert_problems),
        waiting=_waiting(reader, facts),
        spending=list_spending(reader, DEFAULT_TENANT),
        budgets=list_budgets(reader, DEFAULT_TENANT),
    )


def _refusal(facts: Facts, system: SystemRecord) -> list[str]:
    """Why nothing comes in, where that is the system's state or this process has halted."""
    if facts.halted is not None:
        return [facts.halted]
    if facts.pid is None or system.allows["intake"] == "allow":
        return []
    return [f"the system is {system.state}: {system.reason}"]


def _takes_in(facts: Facts, system: SystemRecord) -> bool:
    return system.allows["intake"] == "allow" and facts.pressure.level != "critical"


def _pressure(found: PressureRecord) -> list[str]:
    return [] if found.level == "none" else [f"{found.level} pressure: {reason_of_pressure(found)}"]


def _doing(reader: Reader, counts: dict[str, int], state: str, dead: int, changed: int) -> str:
    running = [lease.number for lease in reader.leases()]
    named = ", ".join(job_id(job) for job in reader.jobs(running[:_NAMED_MAX]))
    more = f" ({named}{', …' if len(running) > _NAMED_MAX else ''})" if named else ""
    letters = f", {count(dead, 'dead letter')} among them" if dead else ""
    blocked = f"{counts['blocked'] - changed} wait for other jobs"
    if changed:
        blocked += f", {changed} wait for other code"
    if counts["waiting"]:
        blocked += f", {counts['waiting']} wait in their handlers"
    return (
        f"{state}: {_runs(reader)}{counts['lease']} jobs run{more}, {counts['ready']} are queued,"
        f" {counts['timer']} wait for their time, {blocked},"
        f" {counts['result']} have ended{letters}{_paused(reader)}"
    )


def _waiting(reader: Reader, facts: Facts) -> list[JobRecord]:
    """What is next, and what for: those that are still ready by now."""
    views = [view for number in facts.next_jobs if (view := reader.view(number)) is not None]
    blockers = Blockers(reader, facts.offered)
    return [
        job_record(reader, view, blockers, is_listed=True) for view in views if type(view.location) is Ready
    ]


def _paused(reader: Reader) -> str:
    """What is paused, named where it is not much."""
    paused = [row.subject for row in reader.flows() if row.paused]
    named = ", ".join(paused[:_NAMED_MAX])
    return f"; paused: {named}{', …' if len(paused) > _NAMED_MAX else ''}" if named else ""


def _runs(reader: Reader) -> str:
    runs = reader.open_runs()
    blocked = sum(run.state == "blocked" for run in runs)
    held = f" ({blocked} blocked: `sheratan workflow list --state blocked`)" if blocked else ""
    return f"{count(len(runs), 'run')} of workflows open{held}, " if runs else ""


def _approvals(reader: Reader, approvals: list[tuple[int, int]]) -> str:
    """How many requests for approval are open, and the oldest of them."""
    if not approvals:
        return ""
    entry, number = approvals[0]
    asked = ", ".join(job_id(job) for job in reader.jobs([number]))
    return f"; {count(len(approvals), 'approval')} open, the oldest approval:{entry} of {asked}"


def _why(reader: Reader, next_seq: int) -> str:
    """The newest decision."""
    for seq in range(next_seq - 1, max(-1, next_seq - 1 - _NEWEST_READ_MAX), -1):
        try:
            entry = read_entry(reader, seq)
        except Archived as error:
            return str(error)
        if entry.decision:
            return f"{entry.decision['because']} ({entry.decision['rule']}, entry {seq})"
    return "no decision has been taken yet"


def _who_asked(reader: Reader) -> str:
    asked = []
    for lease in reader.leases()[:_NAMED_MAX]:
        entry = _first_entry(reader, lease.entry, lease.number)
        asked.append(f"{entry.on_behalf_of} asked for {entry.subject} (entry {entry.seq})")
    return "; ".join(asked) or "nobody: no job runs"


def _first_entry(reader: Reader, seq: int, number: int) -> Entry:
    entry = read_entry(reader, seq)
    while (earlier := previous_entry(entry, number)) is not None:
        entry = read_entry(reader, earlier)
    return entry


def _last_stable(reader: Reader, shard: Shard) -> str:
    seq = shard.engine_entry
    while seq is not None:
        try:
            entry = read_entry(reader, seq)
        except Archived as error:
            # The row still knows whose time it is, though not when that began.
            return f"owner number {shard.epoch} of the data directory has taken over; {error}"
        if entry.type in ("engine.started", "engine.stopped"):
            return f"{tell(entry)} (entry {seq})"
        seq = entry.previous
    return "none: no engine has run on this data directory"


def _alternative(facts: Facts, state: str, system: SystemRecord, counts: dict[str, int]) -> str:
    open_jobs = sum(count for name, count in counts.items() if name != "result")
    if facts.halted is not None:
        return "Stop the server, keep a copy of its data directory, and run `sheratan journal verify` on it."
    if facts.unstored_state is not None:
        return (
            "Make room on the disk, or end the other program: the engine then goes on by itself. What is stored can be"
            " read meanwhile."
        )
    if state in ("stopped", "interrupted"):
        return f"Leave it stopped: {open_jobs} open jobs are kept and go on at the next `sheratan up`."
    if system.way_out:
        return f"Leave it as it is: {open_jobs} open jobs are kept. {system.way_out}"
    return (
        f"Pause it (`sheratan state pause --reason WHY`): nothing new starts, {counts['lease']} running jobs end, all"
        f" {open_jobs} open jobs are kept; or stop with SIGTERM, which drains first."
    )
