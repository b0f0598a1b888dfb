"""Pauses and limits of queues and kinds on the command line: options that set them, and how they are told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from sheratan.cli.output import emit, line
from sheratan.cli.session import Session
from sheratan.cli.values import DURATION
from sheratan.contracts.flow import FlowLimits

__all__ = ["limit_options", "limits_given", "tell_limits", "tell_pause", "told_limits"]

_RATE = re.compile(r"(\d+)/(.+)", re.ASCII)


class _Rate(click.ParamType[tuple[int, float]]):
    """A count in a period."""

    name = "count/period"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, float]:
        """A count and seconds from text such as 100/60s, 5/1s or 1000/1h."""
        match = _RATE.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is not a rate; write 100/60s, 5/1s or 1000/1h.", param, ctx)
        return int(match[1]), DURATION.convert(match[2], param, ctx)


_OPTIONS = (
    click.option("--concurrency", type=int, help="How many of its jobs may run at once."),
    click.option(
        "--rate", type=_Rate(), help="How many may start in a time, evenly spaced, such as 100/60s."
    ),
    click.option("--burst", type=int, help="How many of these may start at once after a rest (default: 1)."),
    click.option("--weight", type=int, help="Its share of turns against others (default: 1)."),
    click.option("--none", "lift", is_flag=True, help="Lift all limits."),
    click.option("--reason", default="", help="Why; it goes into the journal."),
)


def limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that set limits."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def limits_given(
    *,
    concurrency: int | None,
    rate: tuple[int, float] | None,
    burst: int | None,
    weight: int | None,
    lift: bool,
) -> dict[str, Any]:
    """The limits that the options say, as JSON; what they leave out is not limited."""
    limits: dict[str, Any] = {"concurrency": concurrency, "weight": weight}
    if rate is not None:
        limits["rate"] = {"count": rate[0], "period_seconds": rate[1]} | (
            {"burst": burst} if burst is not None else {}
        )
    elif burst is not None:
        raise click.UsageError("--burst goes with --rate.")
    found = {name: value for name, value in limits.items() if value is not None}
    if lift == bool(found):
        raise click.UsageError("Give the limits that are to hold from now on, or --none to lift all of them.")
    return found


def told_limits(limits: FlowLimits) -> str:
    """Limits in a few words; empty when there are none."""
    parts = []
    if limits.concurrency is not None:
        parts.append(f"{limits.concurrency} at once")
    if limits.rate is not None:
        burst = f", bursts of {limits.rate.burst}" if limits.rate.burst > 1 else ""
        parts.append(f"{limits.rate.count} in {limits.rate.period_seconds:g} s{burst}")
    if limits.weight != 1:
        parts.append(f"weight {limits.weight}")
    return "; ".join(parts)


def tell_pause(session: Session, what: str, name: str, *, changed: bool, paused: bool) -> None:
    """Tell that a queue or a kind (`what`) is paused or open, and whether it was before."""
    value = {what: name, "paused": paused, "changed": changed}
    state = "paused" if paused else "open"
    emit(session, value, lambda: line(f"{name} is {state}" + ("" if changed else ", as it was")))


def tell_limits(session: Session, what: str, name: str, limits: FlowLimits, entry: int) -> None:
    """Tell which limits a queue or a kind (`what`) has from an entry on."""
    value = {what: name, "limits": limits, "entry": entry}
    emit(session, value, lambda: line(f"{name}: {told_limits(limits) or 'no limits'} (entry {entry})"))
