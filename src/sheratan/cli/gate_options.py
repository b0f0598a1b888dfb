"""The options by which a submission goes through a gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from sheratan.cli.values import COUNT_IN_TIME, DURATION

__all__ = ["gate_given", "gate_options"]

_OPTIONS = (
    click.option("--debounce", metavar="KEY", help="Take the place of the job that waits under this key."),
    click.option("--debounce-window", type=DURATION, help="How long it waits for another one to come."),
    click.option("--debounce-max", type=DURATION, help="Start no later than this after the first of them."),
    click.option("--throttle", metavar="KEY", help="Make no job when enough were made under this key."),
    click.option("--throttle-limit", type=COUNT_IN_TIME, help="How many are made in a time, such as 1/10s."),
)


def gate_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that submits a job."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def gate_given(options: dict[str, Any]) -> dict[str, Any] | None:
    """The gate that these options say, as JSON; they are taken out of them. None when they say none."""
    names = ("debounce", "debounce_window", "debounce_max", "throttle", "throttle_limit")
    debounce, window, longest, throttle, limit = (options.pop(name) for name in names)
    if (throttle is None) != (limit is None):
        raise click.UsageError("--throttle and --throttle-limit go together.")
    if debounce is None:
        if (window, longest) != (None, None):
            raise click.UsageError("--debounce-window and --debounce-max go with --debounce.")
        if throttle is None:
            return None
        return {"type": "throttle", "key": throttle, "jobs": limit[0], "period_seconds": limit[1]}
    if throttle is not None:
        raise click.UsageError("Give --debounce or --throttle, not both.")
    if window is None:
        raise click.UsageError("--debounce goes with --debounce-window.")
    return {"type": "debounce", "key": debounce, "window_seconds": window, "longest_seconds": longest}
