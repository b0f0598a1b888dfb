"""Pauses and limits of queues, kinds and tenants on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import click

from sheratan.cli.output import draw_table, emit, line
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.values import COUNT_IN_TIME, DURATION
from sheratan.contracts import api
from sheratan.contracts.flow import FlowLimits, FlowRecord, PartitionLimits

__all__ = ["add_flow_commands", "list_flows", "told_limits"]

_OPTIONS = (
    click.option("--concurrency", type=int, help="How many of its jobs may run at once."),
    click.option(
        "--rate", type=COUNT_IN_TIME, help="How many may start in a time, evenly spaced, such as 100/60s."
    ),
    click.option("--burst", type=int, help="How many of these may start at once after a rest (default: 1)."),
    click.option("--partition-concurrency", type=int, help="How many of each partition may run at once."),
    click.option(
        "--partition-rate", type=COUNT_IN_TIME, help="How many of each partition may start in a time."
    ),
    click.option("--partition-burst", type=int, help="How many of these may start at once (default: 1)."),
    click.option("--weight", type=int, help="Its share of turns against others (default: 1)."),
    click.option(
        "--ageing", type=DURATION, help="For so long without a start a priority gains a step, such as 30s."
    ),
    click.option("--none", "lift", is_flag=True, help="Lift all limits."),
    click.option("--reason", default="", help="Why; it goes into the journal."),
)


def _limit_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _limits_given(*, lift: bool, **given: Any) -> dict[str, Any]:
    """The limits that the options say, as JSON; what they leave out is not limited."""
    found = _bounds_given(given, "")
    if given["weight"] is not None:
        found["weight"] = given["weight"]
    if given["ageing"] is not None:
        found["ageing_seconds"] = given["ageing"]
    per_partition = _bounds_given(given, "partition_")
    if per_partition:
        found["per_partition"] = per_partition
    if lift == bool(found):
        raise click.UsageError("Give the limits that are to hold from now on, or --none to lift all of them.")
    return found


def _bounds_given(given: dict[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if given[f"{prefix}concurrency"] is not None:
        found["concurrency"] = given[f"{prefix}concurrency"]
    rate, burst = given[f"{prefix}rate"], given[f"{prefix}burst"]
    if rate is not None:
        found["rate"] = {"count": rate[0], "period_seconds": rate[1]}
        if burst is not None:
            found["rate"]["burst"] = burst
    elif burst is not None:
        option = prefix.replace("_", "-")
        raise click.UsageError(f"--{option}burst goes with --{option}rate.")
    return found


def told_limits(limits: FlowLimits) -> str:
    """Limits in a few words; empty when there are none."""
    parts = [*_told_bounds(limits)]
    if limits.weight != 1:
        parts.append(f"weight {limits.weight}")
    if limits.ageing_seconds is not None:
        parts.append(f"ageing {limits.ageing_seconds:g} s")
    if limits.per_partition is not None:
        parts += [f"each partition {bound}" for bound in _told_bounds(limits.per_partition)]
    return "; ".join(parts)


def _told_bounds(limits: FlowLimits | PartitionLimits) -> Iterator[str]:
    if limits.concurrency is not None:
        yield f"{limits.concurrency} at once"
    if limits.rate is not None:
        burst = f", bursts of {limits.rate.burst}" if limits.rate.burst > 1 else ""
        yield f"{limits.rate.count} in {limits.rate.period_seconds:g} s{burst}"


def list_flows(session: Session, what: Literal["kind", "tenant"]) -> None:
    """List every kind or tenant that has been used, paused or limited."""
    found: list[FlowRecord] = ask(
        session, lambda transport: transport.call(request(api.ListFlows)), offline=True
    )
    found = [one for one in found if one.subject.startswith(f"{what}:")]
    emit(session, found, lambda: draw_table((what.upper(), *_HEADERS), [_row(one) for one in found]))


def _row(one: FlowRecord) -> tuple[object, ...]:
    name, state = one.subject.partition(":")[2], "paused" if one.paused else "open"
    return name, state, one.queued, one.running, told_limits(one.limits), one.paused_reason or ""


def add_flow_commands(group: click.Group, what: Literal["queue", "kind", "tenant"]) -> None:
    """Give a group the commands that stop, start and limit a queue, kind or tenant."""
    pause_it, resume_it, limit_it = _REQUESTS[what]
    wherever = _WHEREVER.get(what, "")

    @group.command(help=f"Start no more jobs of {what} NAME{wherever}; what runs goes on.")
    @click.argument("name")
    @click.option("--reason", default="", help="Why; it goes into the journal.")
    @command_options
    def pause(session: Session, name: str, reason: str) -> None:
        _tell_pause(session, what, request(pause_it, **{what: name}, reason=reason), paused=True)

    @group.command(help=f"Start jobs of {what} NAME again.")
    @click.argument("name")
    @command_options
    def resume(session: Session, name: str) -> None:
        _tell_pause(session, what, request(resume_it, **{what: name}), paused=False)

    @group.command(
        help=f"Limit the jobs of {what} NAME{wherever}; what is not given is not limited from now on."
    )
    @click.argument("name")
    @_limit_options
    @command_options
    def limit(session: Session, name: str, reason: str, **given: Any) -> None:
        wanted = request(limit_it, **{what: name}, limits=_limits_given(**given), reason=reason)
        entry: int = ask(session, lambda transport: transport.call(wanted))
        value = {what: name, "limits": wanted.limits, "entry": entry}
        emit(
            session,
            value,
            lambda: line(f"{name}: {told_limits(wanted.limits) or 'no limits'} (entry {entry})"),
        )


def _tell_pause(session: Session, what: str, wanted: api.Request, *, paused: bool) -> None:
    changed: bool = ask(session, lambda transport: transport.call(wanted))
    name = getattr(wanted, what)
    value = {what: name, "paused": paused, "changed": changed}
    state = "paused" if paused else "open"
    emit(session, value, lambda: line(f"{name} is {state}" + ("" if changed else ", as it was")))


_REQUESTS: Final[dict[str, tuple[type[Any], type[Any], type[Any]]]] = {
    "queue": (api.PauseQueue, api.ResumeQueue, api.LimitQueue),
    "kind": (api.PauseKind, api.ResumeKind, api.LimitKind),
    "tenant": (api.PauseTenant, api.ResumeTenant, api.LimitTenant),
}
_WHEREVER: Final = {"kind": ", in whatever queue", "tenant": ", whatever their queue and kind"}
_HEADERS: Final = ("STATE", "QUEUED", "RUNNING", "LIMITS", "REASON")
