"""The jobs of the model by lane and partition, and what may be set for them."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any, Final

from sheratan.contracts.flow import FlowLimits, PartitionLimits, Rate
from sheratan.simulation.model_state import ModelJob

__all__ = [
    "TENANT",
    "Lane",
    "Parts",
    "Used",
    "bounds",
    "by_lane",
    "by_partition",
    "lane_of",
    "spacing",
    "subjects",
    "subjects_and_partitions",
    "take",
    "why_not",
]

TENANT: Final = "tenant:default"
"""Whose all jobs are."""

Lane = tuple[str, str, int]
"""A queue, a kind and its version."""

Parts = dict[str | None, list[ModelJob]]
"""The ready jobs of a lane by partition, each in their order."""


Used = tuple[Counter[Any], dict[Any, Fraction]]
"""How many run of what, and when all that was started of it would be paid off; partitions by subject and name."""


def take(lanes: dict[Lane, Parts], lane: Lane, name: str | None, left: list[ModelJob]) -> None:
    """Leave so much of a partition, or nothing of it and maybe of its lane."""
    lanes[lane][name] = left
    if not left:
        del lanes[lane][name]
    if not lanes[lane]:
        del lanes[lane]


def by_partition(jobs: list[ModelJob]) -> Parts:
    """The jobs of a lane by partition."""
    found: Parts = {}
    for job in jobs:
        found.setdefault(job.wanted.partition, []).append(job)
    return found


def lane_of(job: ModelJob) -> Lane:
    """Where a job stands."""
    return job.wanted.queue, job.wanted.kind, job.wanted.version


def subjects(lane: Lane) -> tuple[str, str, str]:
    """What something may be set for that holds for a lane."""
    return f"queue:{lane[0]}", f"kind:{lane[1]}", TENANT


def subjects_and_partitions(job: ModelJob) -> list[Any]:
    """The same for a job, and its partition with each of them."""
    found: list[Any] = list(subjects(lane_of(job)))
    return found + [(one, job.wanted.partition) for one in found if job.wanted.partition]


def by_lane(jobs: list[ModelJob]) -> dict[Lane, list[ModelJob]]:
    """Jobs by lane."""
    lanes: dict[Lane, list[ModelJob]] = {}
    for job in jobs:
        lanes.setdefault(lane_of(job), []).append(job)
    return lanes


def bounds(limits: FlowLimits) -> PartitionLimits:
    """What holds for each partition by itself."""
    return limits.per_partition or PartitionLimits()


def spacing(rate: Rate) -> Fraction:
    """Microseconds between two starts."""
    return Fraction(round(rate.period_seconds * 1_000_000), rate.count)


def why_not(
    job: ModelJob, key: Any, limits: FlowLimits | PartitionLimits, used: Used, at_us: int
) -> str | None:
    """What of its limits keeps a job from starting at an instant: `full` or `paced`; None: nothing."""
    running, paid_off = used
    if limits.concurrency is not None and running[key] >= limits.concurrency:
        return "full"
    rate = limits.rate
    if rate is not None:
        slack = (rate.burst - min(job.wanted.cost, rate.burst)) * spacing(rate)
        if paid_off.get(key, Fraction(0)) - slack > at_us:
            return "paced"
    return None
