"""The fold of what goes well: most entries are about jobs that come in, are run and succeed, and those go a short way.

Here only what is entirely in order is taken; all else goes the long way (`kernel/fold_jobs.py`), which would do the
same with what is taken here, and says what is wrong with the rest. So nothing may be changed before all was looked at.
"""

from __future__ import annotations

from typing import Final

from sheratan.contracts.errors import SheratanError
from sheratan.contracts.ids import format_job_id
from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import Ended, OpenJob
from sheratan.kernel.fold_jobs import JobFold

__all__ = ["BROKEN_DATA", "SmoothFold"]

BROKEN_DATA: Final = (
    KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, SheratanError,
)  # fmt: skip
"""What comes of data that is not that of an entry of its type."""

_PLAIN_FACTS: Final = 6
_SALT_DIGITS: Final = -5


class SmoothFold(JobFold):
    """Jobs that come in plainly, and attempts that succeed."""

    def submitted(self, entry: Entry) -> None:
        """A job comes in."""
        try:
            taken = self._comes_in(entry)
        except BROKEN_DATA:
            taken = False
        if not taken:
            super().submitted(entry)

    def succeeded(self, entry: Entry) -> None:
        """An attempt succeeds, and with it the job."""
        try:
            taken = self._succeeds(entry)
        except BROKEN_DATA:
            taken = False
        if not taken:
            self.changed(entry)

    def _comes_in(self, entry: Entry) -> bool:
        """Take a job that is queued at once, under no key, after no other job and on nobody's behalf."""
        data, decided, subject, at_us = entry.data, entry.decision, entry.subject, entry.at
        number = data["number"]
        # Six facts, and these are six: so there is no other.
        queue, kind, priority, options, given_as = (
            data["queue"], data["kind"], data["priority"], data["options"], data["input"],
        )  # fmt: skip
        if decided is None or len(data) != _PLAIN_FACTS or entry.previous is not None:
            return False
        given, salt = decided["input"], int(subject[_SALT_DIGITS:], 16)
        due_us, attempts_max, run_timeout_us = at_us + given.get("delay_us", 0), options[0], options[3]
        if (
            decided["chosen"] != "queue"
            or given.get("waits_for", 0) != 0
            or format_job_id(at_us // 1000, 0, number, salt) != subject
            or not self.outcomes.come_in(number)
        ):
            return False
        seq = entry.seq
        lane = (entry.tenant, queue, kind, 1)
        self.new.plain.add(number, salt, lane, priority, at_us, options, given_as, entry)
        self.open[number] = self.by_subject[subject] = OpenJob(
            number, subject, entry.tenant, queue, kind, priority, attempts_max, "queued", seq, at_us, due_us, due_us,
            0, 0, run_timeout_us, entry.on_behalf_of,
        )  # fmt: skip
        return True

    def _succeeds(self, entry: Entry) -> bool:
        """Take the end of an attempt that ran, by the fence that it ran under."""
        job, data, decided = self.by_subject[entry.subject], entry.data, entry.decision
        if decided is None or job.state != "running" or entry.previous != job.entry:
            return False
        given, fence, attempt, output = decided["input"], job.fence, job.attempt, data["output"]
        if (
            data["attempt"] != attempt
            or given["fence"] != fence
            or given["fence_current"] != fence
            or decided["chosen"] != "succeeded"
            or not decided["rule"].startswith("job.settle@")
        ):
            return False
        number = job.number
        del self.open[number]
        del self.by_subject[entry.subject]
        self.outcomes.put(number, "succeeded")
        self.new.ended.append(Ended(number, "succeeded", attempt, job.losses, entry.at, output, entry.seq))
        self.follows_from_end(number, "succeeded")
        return True
