"""Flow control: what bounds and shares the starts of the jobs of a queue, kind or tenant."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

__all__ = ["NO_LIMITS", "BlockedBy", "FlowLimits", "FlowRecord", "PartitionLimits", "Rate"]

Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """At most `count` starts in a period, evenly spaced, of which up to `burst` may come at once after a rest.

    A period has a day at most. A job that costs more than 1 counts for as many starts.
    """

    count: Count
    period_seconds: Annotated[float, msgspec.Meta(ge=0.001, le=86_400)]
    burst: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1


class PartitionLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What bounds each partition by itself: how many of its jobs run, how quickly they start. None is no limit."""

    concurrency: Count | None = None
    rate: Rate | None = None


class FlowLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is set for a queue, kind or tenant, all at once. None is no limit; `weight` is its share in fair turns."""

    concurrency: Count | None = None
    rate: Rate | None = None
    weight: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    ageing_seconds: Annotated[float, msgspec.Meta(ge=0.001, le=86_400)] | None = None
    """By so much waiting for a start a priority gains a step, in each queue and kind by itself; at most a day.

    Where it is set for several of queue, kind and tenant, the shortest holds. None: urgent jobs always go first.
    """
    per_partition: PartitionLimits | None = None
    """What holds for the jobs of each partition beside that; jobs without a partition are free of it."""


NO_LIMITS = FlowLimits()


class BlockedBy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What keeps a queued job from being started although a worker may be free.

    `subject` is `queue:NAME`, `kind:NAME`, `tenant:NAME`, `account:NAME/UNIT` or `system`; `partition` is set
    where a limit holds per partition.
    Instants are microseconds since the epoch; `until_us` is None for what ends with a resumption, with the end of
    another job or with another worker on duty. `entry` is the newest journal entry about what holds the job up: the
    pause, the limits, the price or the account, the budget, the change of the state; `why entry:N` tells it.
    """

    what: Literal["pause", "concurrency", "rate", "worker", "state", "funds", "budget"]
    subject: str
    since_us: int
    until_us: int | None
    text: str
    partition: str | None = None
    entry: int | None = None


class FlowRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A queue, kind or tenant whose starts are paused, limited or weighted, as it stands."""

    subject: str
    paused: bool
    limits: FlowLimits
    running: int
    queued: int
    paused_reason: str | None = None
