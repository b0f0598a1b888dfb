"""The fold of submissions through gates: which jobs were to be made, when they start, whose place they take."""

from __future__ import annotations

from typing import Any, Final

from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import GateFact, Mention, OpenJob, Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_retention import RetentionFold
from sheratan.kernel.gates import debounced_us

__all__ = ["GateFold"]

_SWEEP_MIN: Final = 1_024
Key = tuple[str, str, str, bytes]


class GateFold(RetentionFold):
    """What each entry of a submission through a gate does, and what it must fit."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.gates: dict[Key, GateFact] = {}
        """By tenant, kind, `debounce` or `throttle`, and the digest of a key; some that are over, too."""
        self.superseding: dict[int, int] = {}
        """Waiting jobs whose place another one has taken, by its entry, until their stories tell of it."""
        self._swept = 0

    def submitted(self, entry: Entry) -> None:
        """A job comes in, maybe through a gate."""
        super().submitted(entry)
        if "debounce" in entry.data or "throttle" in entry.data:
            self._passes(entry)

    def _passes(self, entry: Entry) -> None:
        for what, passes in (("debounce", self._debounced), ("throttle", self._taken)):
            told = entry.data.get(what)
            if told is not None:
                key = (entry.tenant, entry.data["kind"], what, bytes.fromhex(told["key"]))
                known = self.gates.get(key)
                if known is not None and known.until_us <= entry.at:
                    known = None
                self.gates[key] = passes(entry, told, known)
                self._sweep(entry.at)

    def cancelled(self, entry: Entry) -> None:
        """A job is cancelled, maybe because another one takes its place."""
        job = self.by_subject.get(entry.subject)
        cause = self.superseding.pop(job.number, None) if job is not None else None
        if job is not None and (cause is not None or "superseded_by" in entry.data):
            self._check_superseded(entry, job, cause)
        self.changed(entry)

    def due(self, entry: Entry) -> None:
        """The delay of a job is over: another one must not have taken its place."""
        job = self.by_subject.get(entry.subject)
        if job is not None and job.number in self.superseding:
            self.say(entry, "G1", f"job {job.number} starts, and another one has taken its place")
        self.changed(entry)

    def throttled(self, entry: Entry) -> None:
        """A submission was dropped: the period must have had all its jobs."""
        self.check_previous(entry, None)
        data, decided = entry.data, decision_of(entry)
        given, number = decided["input"], parse_job_id(entry.subject).number
        fact = self.gates.get((entry.tenant, data["kind"], "throttle", bytes.fromhex(data["key"])))
        told = (number, given["until_us"], given["made"])
        stands = (fact.number, fact.until_us, fact.jobs) if fact is not None else None
        if told != stands or not entry.at == given["now_us"] < given["until_us"]:
            self.say(entry, "G1", f"it was dropped by {told}; the journal says {stands}")
        if decided["chosen"] != "drop":
            self.say(entry, "E14", f"{decided['chosen']} was chosen, and it was dropped")
        self.mentions.append(Mention(number, entry.seq))

    def _debounced(self, entry: Entry, told: dict[str, Any], known: GateFact | None) -> GateFact:
        number = entry.data["number"]
        waiting = None if known is None else self.open.get(known.number)
        since_us, jobs = entry.at, 0
        if known is not None and waiting is not None and waiting.state == "scheduled":
            since_us, jobs = known.since_us, known.jobs
            self.superseding[waiting.number] = entry.seq
        due_us = debounced_us(entry.at, since_us, told["window_us"], told.get("longest_us", 0))
        starts_us = entry.at + decision_of(entry)["input"].get("delay_us", 0)
        if (told["since_us"], starts_us) != (since_us, due_us):
            text = f"the first of these jobs came at {since_us}, so it starts at {due_us}"
            self.say(entry, "G1", f"{text}; it says {told['since_us']} and {starts_us}")
        return GateFact(number, since_us, due_us, jobs + 1)

    def _taken(self, entry: Entry, told: dict[str, Any], known: GateFact | None) -> GateFact:
        number = entry.data["number"]
        if known is None:
            return GateFact(number, entry.at, entry.at + told["period_us"], 1)
        if known.jobs >= told["jobs"]:
            text = f"job {number} is one too many: {known.jobs} were made of {told['jobs']}"
            self.say(entry, "G1", f"{text}, and the period ends at {known.until_us}")
        return known._replace(number=number, jobs=known.jobs + 1)

    def _check_superseded(self, entry: Entry, job: OpenJob, cause: int | None) -> None:
        """What cancels it is the entry of the job that it names, which came last under their key."""
        decided, by = decision_of(entry), self.by_subject.get(entry.data.get("superseded_by", ""))
        starts_us = None if by is None else by.due_us
        if cause is None or entry.cause != cause or by is None or by.entry != cause:
            self.say(entry, "G1", f"no job has taken the place of job {job.number} by entry {entry.cause}")
        if decided["rule"] != "job.debounce@1" or decided["chosen"] != {"due_us": starts_us}:
            self.say(entry, "E14", f"what has taken its place starts at {starts_us}, which was not chosen")

    def _sweep(self, at_us: int) -> None:
        """What is over is forgotten once it may be as much as all else."""
        if len(self.gates) > 2 * self._swept + _SWEEP_MIN:
            self.gates = self.gates_at(at_us)
            self._swept = len(self.gates)

    def gates_at(self, at_us: int) -> dict[Key, GateFact]:
        """The keys that mean something after an instant."""
        return {key: fact for key, fact in self.gates.items() if fact.until_us > at_us}
