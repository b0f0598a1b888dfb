"""Rows of partitions. A lane number has the partition in its upper bits, 0 for none, so no job's row grows by it."""

from __future__ import annotations

from typing import NamedTuple

from sheratan.contracts.limits import LANES_MAX

__all__ = [
    "PartitionChanges",
    "PartitionKey",
    "PartitionPaceRow",
    "PartitionRow",
    "lane_in",
    "lane_of",
    "partition_of",
]

_LANE_BITS = LANES_MAX.bit_length()

PartitionKey = tuple[str, str, int]
"""A tenant, `queue:NAME`, `kind:NAME` or `tenant:NAME`, and the number of a partition."""


class PartitionRow(NamedTuple):
    """A partition: numbered from 1 on, in the order in which their first jobs came in."""

    number: int
    tenant: str
    name: str


class PartitionPaceRow(NamedTuple):
    """How far a partition has used up the rate that is set per partition of a queue or a kind."""

    tenant: str
    subject: str
    number: int
    pace_us: int
    part: int
    started_us: int


class PartitionChanges:
    """What a unit changes about partitions."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, str], PartitionRow] = {}
        self.paces: dict[PartitionKey, PartitionPaceRow] = {}
        self.forgotten: set[tuple[str, str]] = set()
        """Queues and kinds whose partitions have another rate than before, so that all begin anew."""


def lane_in(lane: int, partition: int) -> int:
    """The number that stands in the rows of jobs of a lane and a partition."""
    return partition << _LANE_BITS | lane


def lane_of(number: int) -> int:
    """The lane of a number that stands in the row of a job."""
    return number & LANES_MAX


def partition_of(number: int) -> int:
    """The partition of a number that stands in the row of a job; 0 when it has none."""
    return number >> _LANE_BITS
