"""`sheratan status`: the five questions, and whether all is well."""

from __future__ import annotations

from collections.abc import Iterator

import click

from sheratan.cli.output import draw_pairs, emit, line
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import down_text, instant
from sheratan.contracts.api import EngineStatus, GetStatus
from sheratan.contracts.guards import GuardRecord
from sheratan.contracts.jobs import JobRecord
from sheratan.contracts.spending import BudgetRecord, SpendingRecord
from sheratan.kernel.accounts import format_amount
from sheratan.kernel.words import count

__all__ = ["status"]

_ANSWER_SECONDS = 5.0
"""A supervisor asks for the status: a server that hangs must not hang it, too."""

_BUDGETS_MAX = 5
_COUNTS = {
    "ready": "queued",
    "timer": "scheduled",
    "waiting": "waiting",
    "lease": "running",
    "blocked": "blocked",
    "result": "ended",
}


@click.command()
@command_options
def status(session: Session) -> None:
    """Answer the five questions from recorded facts; exit 1 when the server is not ready."""
    found: EngineStatus = ask(
        session,
        lambda transport: transport.call(request(GetStatus)),
        offline=True,
        seconds_max=_ANSWER_SECONDS,
    )
    emit(session, found, lambda: _draw(found))
    if not found.ready:
        click.get_current_context().exit(1)


def _draw(found: EngineStatus) -> None:
    draw_pairs(
        [
            ("What am I doing?", found.doing),
            ("Why?", found.why),
            ("Who asked?", found.who_asked),
            ("Last stable state?", found.last_stable_state),
            ("Safe alternative?", found.safe_alternative),
        ]
    )
    line()
    ended = ", ".join(f"{count} {state}" for state, count in found.ended.items())
    counts = ", ".join(f"{found.counts.get(name, 0)} {word}" for name, word in _COUNTS.items())
    process = f"process {found.pid}" if found.pid is not None else "no process"
    draw_pairs(
        [
            ("ready", "yes" if found.ready else "no"),
            *(("problem", problem) for problem in found.problems),
            ("state", f"{found.state}, {process}, version {found.version}"),
            *_wrong(found),
            ("data", found.data),
            ("jobs", f"{counts} ({ended})"),
            *(("waiting", _waiting(one)) for one in found.waiting),
            ("dead letters", found.dead_letters),
            *_costs(found),
            ("schedules", _schedules(found)),
            ("approvals", f"{found.approvals} open"),
            ("workers", ", ".join(found.workers) or "none"),
            ("journal", f"{found.entries} entries, head {found.entries}:{found.head}"),
            *([("archive", found.archive_problem)] if found.archive_problem else []),
        ]
    )


def _waiting(one: JobRecord) -> str:
    """What a job that is next waits for."""
    return f"{one.id} ({one.kind}, queue {one.queue}) for {one.waiting_for or 'a worker that has room'}"


def _costs(found: EngineStatus) -> Iterator[tuple[str, str]]:
    """What attempts have cost, and the budgets of which most is used."""
    yield from (("costs", _spending(one)) for one in found.spending)
    by_use = sorted(found.budgets, key=lambda one: -(one.charged + one.reserved) / max(1, one.amount))
    yield from (("budget", _budget(one)) for one in by_use[:_BUDGETS_MAX])
    if len(by_use) > _BUDGETS_MAX:
        yield "budget", f"{len(by_use) - _BUDGETS_MAX} more (sheratan budget list)"


def _spending(one: SpendingRecord) -> str:
    spent, reserved = (format_amount(amount, one.scale) for amount in (one.spent, one.reserved))
    return f"{spent} {one.unit} spent, {reserved} reserved for what runs"


def _budget(one: BudgetRecord) -> str:
    used, most = (format_amount(amount, one.scale) for amount in (one.charged + one.reserved, one.amount))
    return f"{one.subject} has used {used} of {most} {one.unit}{f' per {one.per}' if one.per else ''}"


def _wrong(found: EngineStatus) -> Iterator[tuple[str, str]]:
    """What is not as it should be, as far as the server knows."""
    yield from (("system", text) for text in _system(found))
    yield from (("probe", text) for text in _probes(found))
    yield from (("guard", text) for guard in found.guards for text in _guard(guard))
    yield from (("pressure", text) for text in _pressure(found))
    yield from (("alert", text) for text in _alerts(found))


def _system(found: EngineStatus) -> Iterator[str]:
    """What has brought the system into its state, where anything has."""
    system = found.system
    if system.since_us is not None:
        affected = f", affected: {', '.join(system.affected)}" if system.affected else ""
        since = instant(system.since_us)
        yield f"{system.state} since {since}, by {system.actor}: {system.reason}{affected}"


def _probes(found: EngineStatus) -> Iterator[str]:
    """What is down."""
    for one in found.system.probes:
        if one.health == "down":
            yield down_text(one)


def _guard(one: GuardRecord) -> Iterator[str]:
    """Why a dependency is not called as often as it could be."""
    if one.state != "closed":
        until = f" until {instant(one.until_us)}" if one.until_us is not None else ""
        yield f"the breaker of {one.dependency} is {one.state.replace('_', '-')}{until}: {one.because}"
    if one.limit < one.concurrency:
        yield f"{one.dependency} is slow: {count(one.limit, 'call')} at once, not {one.concurrency}"


def _pressure(found: EngineStatus) -> Iterator[str]:
    """The pressure on the process, where one looks at it."""
    used, most = found.pressure.memory_bytes, found.pressure.memory_limit_bytes
    if used is not None and most is not None:
        lag, wait = found.pressure.lag_us / 1_000_000, found.pressure.wait_us / 1_000_000
        yield (
            f"{found.pressure.level}, {used >> 20} of {most >> 20} MiB of memory used,"
            f" the event loop is {lag:.3f} s late, commands wait for {wait:.3f} s"
        )


def _alerts(found: EngineStatus) -> Iterator[str]:
    """What is wrong, and who could not be told."""
    for one in found.alerts:
        yield f"{one.subject} ({one.severity}) since {instant(one.since_us)}: {one.text}"
    for problem in found.alert_problems:
        yield f"not everybody is told: {problem}"


def _schedules(found: EngineStatus) -> str:
    lag_seconds = found.schedules_lag_us / 1_000_000
    return f"{found.schedules}, " + (
        f"the next one is {lag_seconds:.3f} s late" if lag_seconds else "none is late"
    )
