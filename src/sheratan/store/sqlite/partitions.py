"""Reads of partitions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from itertools import starmap

from sheratan.store.partition_rows import PartitionKey, PartitionPaceRow, PartitionRow
from sheratan.store.sqlite.scans import SqliteScans

__all__ = ["SqlitePartitions"]


class SqlitePartitions(SqliteScans):
    """Reads of partitions and of how far they have used up their rates."""

    def find_partition(self, tenant: str, name: str) -> PartitionRow | None:
        """A partition by its name."""
        for row in self._rows("select_partition", (tenant, name)):
            return PartitionRow(*row)
        return None

    def partitions(self, numbers: Collection[int]) -> dict[int, str]:
        """The names of partitions, by number."""
        return {row[0]: row[2] for row in self._rows("select_partitions", (json.dumps(list(numbers)),))}

    def last_partition(self) -> int:
        """The highest number of a partition, 0 before the first one."""
        number: int = self._one("select_last_partition", ())[0]
        return number

    def partition_pace(self, key: PartitionKey) -> PartitionPaceRow | None:
        """How far a partition has used up a rate."""
        for row in self._rows("select_partition_pace", key):
            return PartitionPaceRow(*row)
        return None

    def partition_paces(self, from_us: int) -> list[PartitionPaceRow]:
        """How far partitions have used up their rates, of those that are not paid off before an instant."""
        return list(starmap(PartitionPaceRow, self._rows("select_partition_paces", (from_us,))))

    def all_partitions(self) -> Iterator[PartitionRow]:
        """Every partition, in order."""
        yield from starmap(PartitionRow, self._steps("select_partitions_from", 1))
