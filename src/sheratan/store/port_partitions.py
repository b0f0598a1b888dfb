"""What the engine asks of a database about partitions."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from sheratan.store.partition_rows import PartitionKey, PartitionPaceRow, PartitionRow

__all__ = ["PartitionReader"]


class PartitionReader(Protocol):
    """Reads of partitions and of how far they have used up their rates."""

    def find_partition(self, tenant: str, name: str) -> PartitionRow | None:
        """A partition by its name."""
        ...

    def partitions(self, numbers: Collection[int]) -> dict[int, str]:
        """The names of partitions, by number."""
        ...

    def last_partition(self) -> int:
        """The highest number of a partition, 0 before the first one."""
        ...

    def partition_pace(self, key: PartitionKey) -> PartitionPaceRow | None:
        """How far a partition has used up a rate."""
        ...

    def partition_paces(self, from_us: int) -> list[PartitionPaceRow]:
        """How far partitions have used up their rates, of those that are not paid off before an instant."""
        ...

    def all_partitions(self) -> Iterator[PartitionRow]:
        """Every partition, in order."""
        ...
