"""Planted bugs of partitions: limits that are not their own, turns that are not fair, partitions that are forgotten."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_PARTITIONS = "engine/partitions.py"
_TURNS = "engine/turns.py"
_DISPATCH = "engine/dispatch_partitions.py"
_PICK = "kernel/partitions.py"

BUGS = (
    Bug(
        "partition-runs-one-more",
        "of a partition one job more runs than may",
        "safety",
        "F1",
        (
            Change(_PARTITIONS, ") >= row.partition_concurrency:", ") > row.partition_concurrency:"),
            Change(
                "kernel/sharing.py",
                "self.most and self.running >= self.most",
                "self.most and self.running > self.most",
            ),
        ),
    ),
    Bug(
        "partition-not-counted",
        "what runs of a partition is not counted",
        "safety",
        "F1",
        (
            Change(
                "engine/state.py",
                "            self.partitions.count(job.lane, change)\n",
                "            pass\n",
            ),
        ),
    ),
    Bug(
        "partition-never-wakes",
        "a partition that was full stays set aside when one of its jobs ends",
        "liveness",
        "E9",
        (
            Change(
                _PARTITIONS,
                "                    self.turns[lane_of(member)].wake(member)\n",
                "                    assert member\n",
            ),
        ),
    ),
    Bug(
        "paced-partition-never-wakes",
        "a partition that a rate has stopped stays set aside",
        "liveness",
        "E9",
        (
            Change(
                _TURNS,
                "            self.wake(heappop(self._paced)[1])\n",
                "            heappop(self._paced)\n",
            ),
        ),
    ),
    Bug(
        "nobody-wakes-for-a-partition",
        "the engine does not wake when the next job of a partition may start",
        "liveness",
        "E9",
        (
            Change(
                _DISPATCH,
                "    for until_us in (*stops, *(lane.turns.next_start_us() for lane in lanes)):\n",
                "    for until_us in stops:\n",
            ),
        ),
    ),
    Bug(
        "partition-burst-again-after-a-crash",
        "how far a partition has used up its rate is not written",
        "safety",
        "F1",
        (
            Change(
                _DISPATCH,
                "            batch.unit.partitions.paces[key] = PartitionPaceRow(*key, *pace)\n",
                "            assert PartitionPaceRow(*key, *pace)\n",
            ),
        ),
    ),
    Bug(
        "partition-turn-not-charged",
        "a partition that was served is as little ahead as before",
        "safety",
        "order",
        (
            Change(
                _TURNS, "            self._tags[member] = self._turn + tag\n", "            assert tag >= 0\n"
            ),
        ),
    ),
    Bug(
        "full-partition-stops-its-lane",
        "a partition that is full while others are not keeps them from being served",
        "liveness",
        "E9",
        (
            Change(
                _PICK,
                "        picked.partition_stops[who] = stop\n",
                "        picked.partition_stops[who] = picked.stops[lane] = stop\n",
            ),
        ),
    ),
    Bug(
        "partition-forgotten-at-start",
        "after a start the partitions with queued jobs are not known",
        "liveness",
        "E9",
        (
            Change(
                "engine/state.py",
                "            if number > LANES_MAX:\n                self._open_partition(number, depth)\n",
                "",
            ),
        ),
    ),
    Bug(
        "partition-numbered-twice",
        "a new partition gets the number of another one",
        "safety",
        "J14",
        (
            Change(
                "engine/batch.py",
                "number, parts.next_number = parts.next_number, parts.next_number + 1",
                "number = parts.next_number",
            ),
        ),
    ),
    Bug(
        "new-head-not-noted",
        "a more urgent job of a partition that has jobs already waits behind them",
        "safety",
        "order",
        (
            Change(
                _TURNS,
                "        if self._heads.get(member) != head:\n",
                "        if member not in self._heads:\n",
            ),
        ),
    ),
    Bug(
        "partition-limit-not-lifted",
        "a partition that was full stays so under a new limit",
        "liveness",
        "E9",
        (
            Change(
                _PARTITIONS, "            turns.wake_all()\n", "            assert turns.aside is not None\n"
            ),
        ),
    ),
    Bug(
        "old-pace-stays",
        "a rate per partition that is set anew forgets in memory what is still written",
        "safety",
        "J5",
        (
            Change(
                "engine/flow.py",
                "        batch.unit.partitions.forgotten.add((row.tenant, row.subject))\n",
                "        assert row.subject\n",
            ),
        ),
    ),
    Bug(
        "all-items-of-the-first-one",
        "the jobs of all items of a fan-out have the partition of the first item",
        "safety",
        "F1",
        (
            Change(
                "engine/feed.py",
                "values.job_partition(name, item))",
                "values.job_partition(name, item and Item(value=values.items(name)[0], index=0)))",
            ),
        ),
    ),
    Bug(
        "partition-looked-up-too-late",
        "a node is started whose partition can be nobody",
        "liveness",
        "E9",
        (Change("engine/advance.py", "        values.job_partition(name, None)\n", ""),),
    ),
    Bug(
        "undone-for-nobody",
        "the job that compensates a node has no partition",
        "safety",
        "F1",
        (Change("engine/feed.py", "values.undo_partition(name)", "None"),),
    ),
    Bug(
        "search-in-all-partitions",
        "a bulk operation on the jobs of a partition is for all jobs",
        "safety",
        "E6",
        (
            Change(
                "store/sqlite/search.py",
                "            yield self._in_partition(wanted.partition)\n",
                "            assert self._in_partition(wanted.partition).leads\n",
            ),
        ),
    ),
)
