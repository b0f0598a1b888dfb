"""Rates by the generic cell rate algorithm (ITU-T I.371): one instant says all about what has been started.

The instant is the theoretical arrival time: when everything that was started would be paid off at the rate. Between
two starts that cost one each lies a period divided by a count, which is seldom a whole number of microseconds; so an
instant has a part of a microsecond, in units of one by the count, and nothing is ever rounded.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["UNPACED", "Pace", "Rate", "advance", "earliest_us", "refit"]


class Rate(NamedTuple):
    """At most `count` in a period, and `burst` at once when nothing was started for long enough."""

    count: int
    period_us: int
    burst: int


class Pace(NamedTuple):
    """A theoretical arrival time: microseconds since the epoch, and `part` of one, in units of one by the count.

    `started_us` is when something was started last.
    """

    at_us: int = 0
    part: int = 0
    started_us: int = 0


UNPACED = Pace()
"""Nothing was started, or it is long paid off."""


def earliest_us(rate: Rate, pace: Pace, cost: int) -> int:
    """The first instant at which something of this cost conforms.

    What costs more than the burst waits until all is paid off; what it is above that, later starts wait for.
    """
    slack = (rate.burst - min(cost, rate.burst)) * rate.period_us
    return -((slack - pace.at_us * rate.count - pace.part) // rate.count)


def advance(rate: Rate, pace: Pace, at_us: int, cost: int) -> Pace:
    """The pace once something of this cost is started at an instant."""
    paid_off = max(pace.at_us * rate.count + pace.part, at_us * rate.count)
    return Pace(*divmod(paid_off + cost * rate.period_us, rate.count), at_us)


def refit(rate: Rate, pace: Pace, at_us: int) -> Pace:
    """The pace under a rate that is new at an instant: nobody waits longer than if the whole burst had just started."""
    most = advance(rate, UNPACED, at_us, rate.burst)
    at_us, part = min((pace.at_us + (pace.part > 0), 0), most[:2])
    return Pace(at_us, part, pace.started_us)
