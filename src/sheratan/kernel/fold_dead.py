"""The fold of entries about dead letters, and about the bulk operations that deal with many jobs."""

from __future__ import annotations

from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import BulkFact, FailedFact, Mention, OpenJob, Violation
from sheratan.kernel.fold_alike import AlikeFold
from sheratan.kernel.fold_book import decision_of

__all__ = ["DeadFold"]

_DOES = {
    "cancel": frozenset({"job.cancelled", "job.cancel_requested"}),
    "retry": frozenset({"job.submitted"}),
    "replay": frozenset({"job.submitted"}),
    "discard": frozenset({"job.discarded"}),
}
"""The types of entries by which a bulk operation does something to a job, by its action."""


class DeadFold(AlikeFold):
    """What each entry about a dead letter or a bulk operation does, and what it must fit."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.dead: set[int] = set()
        self.bulks: dict[int, BulkFact] = {}
        self._again: tuple[int, str, str] | None = None
        """The newest entry by which a job runs a dead letter again: its number, that job and the dead letter."""

    def leave(self, entry: Entry, job: OpenJob, state: str, output: str | None) -> None:
        """A failed job becomes a dead letter."""
        super().leave(entry, job, state, output)
        if state == "failed":
            self.dead.add(job.number)
            self.new.failed.append(
                FailedFact(entry.data["error"]["class"], job.number, entry.data["error"]["type"], entry.seq)
            )

    def submitted(self, entry: Entry) -> None:
        """A job that runs a dead letter again takes it out."""
        super().submitted(entry)
        origin = entry.data.get("origin")
        if origin is not None:
            number = parse_job_id(origin).number
            if number in self.dead:
                self.dead.discard(number)
                self._again = (entry.seq, entry.subject, origin)
        if entry.cause is not None and not {"firing", "node", "by_job"} & entry.data.keys():
            self._is_done_to(entry, parse_job_id(origin or entry.subject).number)

    def changed(self, entry: Entry) -> None:
        """A person's bulk operation may have led to it."""
        super().changed(entry)
        if entry.cause in self.bulks:
            self._is_done_to(entry, parse_job_id(entry.subject).number)

    def replayed(self, entry: Entry) -> None:
        """A dead letter was run again, beside its story."""
        again, self._again = self._again, None
        if again != (entry.cause, entry.data["as"], entry.subject):
            self.say(
                entry,
                "E5",
                f"it says that {entry.data['as']} runs it again, and entry {entry.cause} does not",
            )
        self._decided(entry, "replay")

    def discarded(self, entry: Entry) -> None:
        """A dead letter is one no more, beside its story."""
        number = parse_job_id(entry.subject).number
        if number not in self.dead:
            self.say(entry, "E5", f"job number {number} is no dead letter")
        self.dead.discard(number)
        self._decided(entry, "discard")
        if entry.cause is not None:
            self._is_done_to(entry, number)

    def bulk_started(self, entry: Entry) -> None:
        """Something is to be done to many jobs."""
        if entry.subject != f"bulk:{entry.seq}":
            self.say(entry, "E2", f"{entry.subject} is not the name of the bulk operation that begins here")
        self.bulks[entry.seq] = BulkFact(entry.data["action"], 0, 0, entry.data.get("limit"), None)

    def bulk_ended(self, entry: Entry) -> None:
        """A bulk operation is over."""
        number = int(entry.subject.rpartition(":")[2])
        known, given = self.bulks[number], decision_of(entry)["input"]
        if known.ended is not None or entry.previous != number:
            self.say(entry, "previous", f"{entry.subject} has ended before, or it names {entry.previous}")
        if (given["done"], given["limit"]) != (known.done, known.limit):
            told = f"{given['done']} of {given['limit']}"
            self.say(
                entry, "E6", f"{known.done} jobs were done of {known.limit}; the decision was told {told}"
            )
        self.bulks[number] = known._replace(ended=entry.seq)

    def _decided(self, entry: Entry, chosen: str) -> None:
        if entry.previous is not None:
            self.say(entry, "previous", "it stands beside its job's story, and names an entry of it")
        if decision_of(entry)["chosen"] != chosen:
            self.say(entry, "E14", f"{decision_of(entry)['chosen']} was chosen, and {entry.type} was done")
        self.mentions.append(Mention(parse_job_id(entry.subject).number, entry.seq))

    def _is_done_to(self, entry: Entry, number: int) -> None:
        """A bulk operation does what it is for, to each job once, oldest first, and not after its end."""
        known = self.bulks.get(-1 if entry.cause is None else entry.cause)
        if known is None or entry.type not in _DOES[known.action]:
            self.say(entry, "E6", f"entry {entry.cause} is no bulk operation that does this")
            return
        if known.ended is not None or number <= known.last:
            self.say(entry, "E6", f"its bulk operation had come to job {known.last}, or to its end")
        assert entry.cause is not None
        self.bulks[entry.cause] = known._replace(last=number, done=known.done + 1)
