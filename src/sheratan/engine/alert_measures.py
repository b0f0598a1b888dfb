"""What alerts are about: everything that is watched, measured in memory or by a read that is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from sheratan.contracts.alert_targets import AlertSeverity
from sheratan.contracts.alerts import TEXT_LENGTH_MAX, AlertRule, AlertRuleName, AlertSettings
from sheratan.contracts.guards import OpenBreaker, open_breakers
from sheratan.contracts.principal import DEFAULT_TENANT
from sheratan.contracts.system import ANY_SEVERITY
from sheratan.engine.billing_state import is_over
from sheratan.engine.engine import Engine
from sheratan.kernel.alerting import alert_subject
from sheratan.kernel.secret_text import find_secret_in
from sheratan.kernel.system import services_in
from sheratan.store.port import Reader

__all__ = ["Reading", "Watched", "measure", "threshold_of"]

_SECOND_US: Final = 1_000_000


class Reading(NamedTuple):
    """What was measured; `value` None: it cannot be told now."""

    subject: str
    rule: AlertRuleName
    value: int | None
    text: str
    severity: AlertSeverity
    affected: tuple[str, ...] = ()


class Watched(NamedTuple):
    """Where it is measured."""

    engine: Engine
    reader: Reader
    settings: AlertSettings
    archive_problem: Callable[[], str | None]


class _Found(NamedTuple):
    """What is found of one thing that a rule watches."""

    about: str
    value: int | None
    text: str
    severity: AlertSeverity | None = None
    affected: tuple[str, ...] = ()


def measure(watched: Watched) -> Iterator[Reading]:
    """Everything that may be wrong, in the order of the rules. Only between batches: on the engine's loop."""
    for name, look in _LOOKS.items():
        rule: AlertRule = getattr(watched.settings.rules, name)
        if rule.on:
            for found in look(watched):
                subject = alert_subject(name, found.about)
                severity = found.severity or rule.severity
                yield Reading(subject, name, found.value, _tellable(found.text), severity, found.affected)


def _tellable(text: str) -> str:
    """A reason may be anybody's words: what looks like a credential goes into no entry and no notice."""
    found = find_secret_in(text)
    return text[:TEXT_LENGTH_MAX] if found is None else f"left out, as it seems to hold {found}"


def threshold_of(settings: AlertSettings, name: AlertRuleName) -> int:
    """From which value on it is wrong; what is only so or not so is measured as 1 or 0."""
    threshold: int = getattr(getattr(settings.rules, name), "threshold", 1)
    return threshold


def _commit(watched: Watched) -> Iterator[_Found]:
    engine = watched.engine
    if engine.outage is not None:
        yield _Found("", engine.outage_us // _SECOND_US, f"nothing can be committed: {engine.outage}")


def _integrity(watched: Watched) -> Iterator[_Found]:
    halted = watched.engine.halted
    if halted is not None:
        yield _Found("", 1, f"the engine decides nothing any more: {halted}")


def _state(watched: Watched) -> Iterator[_Found]:
    engine = watched.engine
    row = engine.state.system
    state = engine.unstored_state or row.current
    severity = ANY_SEVERITY.get(state)
    if severity is not None:
        affected = tuple(services_in(row.affected)) if state == row.current else ()
        reason = engine.halted or engine.outage or row.reason
        yield _Found(
            state,
            1,
            f"the system is {state}: {reason}",
            "warning" if severity == "minor" else None,
            affected,
        )


def _queue_age(watched: Watched) -> Iterator[_Found]:
    """For each queue with ready jobs, how long the first has been so; a window that is to be refilled cannot tell."""
    state, now_us = watched.engine.state, watched.engine.recorded_us()
    since: dict[tuple[str, str], int | None] = {}
    for number, lane in state.busy_lanes.items():
        first, queue = state.windows[number].first, (lane.tenant, lane.queue)
        if first is not None:
            since[queue] = min(since.get(queue) or first.since_us, first.since_us)
        else:
            since.setdefault(queue, None)
    for (tenant, queue), since_us in since.items():
        age = None if since_us is None else max(0, now_us - since_us) // _SECOND_US
        about = _of_tenant(tenant, f"queue:{queue}")
        text = f"the job that is next in queue {queue} has been ready for {age} s"
        yield _Found(about, age, text, None, (f"queue:{queue}",))


def _dead_letters(watched: Watched) -> Iterator[_Found]:
    most = threshold_of(watched.settings, "dead_letters")
    found = watched.reader.dead_letters_up_to(most)
    more = " or more" if found == most else ""
    yield _Found("", found, f"dead letters that nobody has dealt with: {found}{more}")


def _dead_letter_age(watched: Watched) -> Iterator[_Found]:
    failed_us = watched.reader.first_dead_letter_us()
    if failed_us is not None:
        age = max(0, watched.engine.recorded_us() - failed_us) // _SECOND_US
        yield _Found("", age, f"the first of the dead letters has failed {age} s ago")


def _budget(watched: Watched) -> Iterator[_Found]:
    """How much of each budget is used; a window that is over has used nothing."""
    state, now_us = watched.engine.state, watched.engine.recorded_us()
    for row in state.billing.budgets.values():
        used = 0 if is_over(row, now_us) else row.reserved + row.charged
        percent = used * 100 // row.amount if row.amount else 100
        about = _of_tenant(row.tenant, f"{row.subject}/{row.unit}")
        text = f"{percent} % of the budget of {row.subject} in {row.unit} is used"
        yield _Found(about, percent, text, None, (row.subject,))


def _schedule_lag(watched: Watched) -> Iterator[_Found]:
    due_us = watched.engine.state.next_firing_us
    lag = 0 if due_us is None else max(0, watched.engine.recorded_us() - due_us) // _SECOND_US
    yield _Found("", lag, f"the most overdue firing of a schedule has been due for {lag} s")


def _archive(watched: Watched) -> Iterator[_Found]:
    problem = watched.archive_problem()
    if problem is not None:
        yield _Found("", 1, f"entries that are due could not be archived: {problem}")


def _breaker(watched: Watched) -> Iterator[_Found]:
    """For each dependency, since when a breaker has not been closed, in this process or in a worker of another."""
    engine = watched.engine
    first: dict[str, tuple[OpenBreaker, str]] = {}
    told = [(one, "this process") for one in open_breakers(engine.guards())]
    for session in engine.state.sessions.values():
        told += [(one, session.subject) for one in session.breakers]
    for one, where in told:
        known = first.get(one.dependency)
        if known is None or one.since_us < known[0].since_us:
            first[one.dependency] = one, where
    for dependency, (one, where) in first.items():
        seconds = max(0, engine.now_us() - one.since_us) // _SECOND_US
        text = f"calls of {dependency} have failed for {seconds} s in {where}: {one.because}"
        yield _Found(dependency, seconds, text, None, (dependency,))


def _of_tenant(tenant: str, about: str) -> str:
    return about if tenant == DEFAULT_TENANT else f"{tenant}/{about}"


_LOOKS: Final[dict[AlertRuleName, Callable[[Watched], Iterator[_Found]]]] = {
    "commit": _commit,
    "integrity": _integrity,
    "state": _state,
    "queue_age": _queue_age,
    "dead_letters": _dead_letters,
    "dead_letter_age": _dead_letter_age,
    "budget": _budget,
    "schedule_lag": _schedule_lag,
    "archive": _archive,
    "breaker": _breaker,
}
"""What each rule looks at. What it does not tell of is well."""
