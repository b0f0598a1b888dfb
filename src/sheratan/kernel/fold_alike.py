"""The fold of entries alike: many jobs that come in or succeed one after the other, of which only numbers differ.

As in `kernel/fold_smooth.py`, only what is entirely in order is taken, and nothing is changed before all was looked
at; what is not taken is decoded and goes its way entry by entry.
"""

from __future__ import annotations

import struct
from functools import partial
from itertools import count, repeat
from typing import Final

from sheratan.contracts.ids import JOB_NUMBER_MAX, SALT_BITS, format_job_id
from sheratan.kernel.facts import Ended, OpenJob
from sheratan.kernel.fold_smooth import SmoothFold
from sheratan.kernel.stencil import Run

__all__ = ["AlikeFold"]

_ended = partial(tuple.__new__, Ended)
_OPTIONS: Final = 5
_SALT_MASK: Final = (1 << SALT_BITS) - 1
_HALF_AT: Final = len("job_") + 16


class AlikeFold(SmoothFold):
    """Runs of jobs that come in plainly, and of attempts that succeed."""

    def run_comes_in(self, run: Run) -> bool:
        """Take jobs that are queued at once; False, and nothing is changed, when anything is unusual."""
        entry, numbers, instants = run.stencil.entry, run.integers("number"), run.instants
        data, size = entry.data, len(numbers)
        if entry.decision is None or len(data["options"]) != _OPTIONS or not self._are_next(numbers):
            return False
        # The digits are lower-case hexadecimal, so the same value is the same text.
        highs, lows = _halves(run.columns["id"])
        base = _low(numbers[0])
        if highs != _highs(instants) or [low >> SALT_BITS for low in lows] != list(range(base, base + size)):
            return False
        self._open_all(run, numbers)
        plain = self.new.plain
        plain.numbers.extend(numbers)
        plain.salts.extend([low & _SALT_MASK for low in lows])
        plain.lanes.extend([(entry.tenant, data["queue"], data["kind"], 1)] * size)
        plain.priorities.extend([data["priority"]] * size)
        plain.created_us.extend(instants)
        plain.options.extend([data["options"]] * size)
        plain.inputs.extend(run.texts("input"))
        plain.entries.extend(run.lines)
        return True

    def _are_next(self, numbers: list[int]) -> bool:
        first, last = numbers[0], numbers[-1]
        return self.outcomes.newest < first <= last <= JOB_NUMBER_MAX and numbers == list(
            range(first, last + 1)
        )

    def _open_all(self, run: Run, numbers: list[int]) -> None:
        entry, data = run.stencil.entry, run.stencil.entry.data
        tenant, queue, kind, priority, options = (
            entry.tenant, data["queue"], data["kind"], data["priority"], data["options"],
        )  # fmt: skip
        attempts_max, run_timeout_us = options[0], options[3]
        subjects = ["job_" + text for text in run.texts("id")]
        jobs = [
            OpenJob(
                number, subject, tenant, queue, kind, priority, attempts_max, "queued", seq, at_us, at_us, at_us,
                0, 0, run_timeout_us, entry.on_behalf_of,
            )
            for number, subject, at_us, seq in zip(numbers, subjects, run.instants, count(run.first_seq))
        ]  # fmt: skip
        self.outcomes.put_open(numbers[0], len(numbers))
        self.open.update(zip(numbers, jobs, strict=True))
        self.by_subject.update(zip(subjects, jobs, strict=True))

    def run_succeeds(self, run: Run) -> bool:
        """Take attempts that succeed; False, and nothing is changed, when anything is unusual."""
        entry, columns = run.stencil.entry, run.columns
        if entry.decision is None or not entry.decision["rule"].startswith("job.settle@"):
            return False
        if columns["fence"] != columns["fence_current"]:
            return False
        subjects = ["job_" + text for text in run.texts("id")]
        jobs = [job for job in map(self.by_subject.get, subjects) if job is not None]
        if len(jobs) != len(run.lines) or len(set(subjects)) != len(jobs):
            return False
        if not _are_as_said(jobs, run, entry.data["attempt"]):
            return False
        self._end_all(jobs, run)
        return True

    def _end_all(self, jobs: list[OpenJob], run: Run) -> None:
        numbers = [job.number for job in jobs]
        for job in jobs:
            del self.open[job.number]
            del self.by_subject[job.subject]
        self.outcomes.put_all(numbers, "succeeded")
        attempts, losses = [job.attempt for job in jobs], [job.losses for job in jobs]
        self.new.ended.extend(map(_ended, zip(
            numbers, repeat("succeeded"), attempts, losses, run.instants, run.texts("output"), count(run.first_seq),
        )))  # fmt: skip
        if self.followers or self.run_jobs or self.members:
            for number in numbers:
                self.follows_from_end(number, "succeeded")


def _are_as_said(jobs: list[OpenJob], run: Run, attempt: int) -> bool:
    """Whether all these jobs run, in this attempt, under these fences and after these entries."""
    return (
        [job.state for job in jobs].count("running") == len(jobs)
        and [job.attempt for job in jobs].count(attempt) == len(jobs)
        and [job.fence for job in jobs] == run.integers("fence")
        and [job.entry for job in jobs] == run.integers("previous")
    )


def _halves(ids: tuple[bytes, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The first and the last 64 bits of each id, which has 32 hexadecimal digits."""
    halves = struct.unpack(f">{2 * len(ids)}Q", bytes.fromhex(b"".join(ids).decode()))
    return halves[::2], halves[1::2]


def _highs(instants: list[int]) -> tuple[int, ...]:
    """The first half of the ids of jobs of shard 0. Instants ascend."""
    if instants[-1] == instants[0]:
        return (_high(instants[0]),) * len(instants)
    return tuple(map(_high, instants))


def _high(instant: int) -> int:
    return int(format_job_id(instant // 1000, 0, 0, 0)[:_HALF_AT].removeprefix("job_"), 16)


def _low(number: int) -> int:
    """The last half of a job's id before its salt."""
    return int(format_job_id(0, 0, number, 0)[_HALF_AT:], 16) >> SALT_BITS
