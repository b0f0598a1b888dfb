"""The book that the fold of a journal keeps about jobs, and the steps that several entry types share."""

from __future__ import annotations

from typing import Any, Final

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.journal import Entry
from sheratan.kernel.approval import ApprovalFact
from sheratan.kernel.facts import Ended, FailureFact, KeyFact, Mention, OpenJob, Violation
from sheratan.kernel.lifecycle import JOB_TRANSITIONS, TERMINAL_STATES
from sheratan.kernel.new_facts import NewFacts, no_facts
from sheratan.kernel.outcomes import Outcomes
from sheratan.kernel.run_facts import OpenRun

__all__ = ["ENDS", "JobBook", "decision_of"]

ENDS: Final = {"job.succeeded": "succeeded", "job.failed": "failed", "job.cancelled": "cancelled"}
"""Entry types that end a job, each with the state that it ends in."""

_UNDO: Final = -2

_SETTLED: Final = {
    "succeeded": "job.succeeded",
    "cancelled": "job.cancelled",
    "released": "job.requeued",
    "waiting": "job.waiting",
    "code_changed": "job.blocked",
}
"""What reports have been settled as, each with the entry type that says so."""


class JobBook:
    """Open jobs, outcomes and idempotency keys as the entries so far make them."""

    def __init__(self, violations: list[Violation]) -> None:
        self.open: dict[int, OpenJob] = {}
        self.outcomes = Outcomes()
        self.keys: dict[tuple[str, bytes], KeyFact] = {}
        self.mentions: list[Mention] = []
        self.losses_max = 0
        self._violations = violations
        self.by_subject: dict[str, OpenJob] = {}
        self.followers: dict[int, list[int | tuple[int, int, int]]] = {}
        """By open job, who waits for its end: jobs that run after it, by number, and waits of handlers."""
        self.awaited: dict[tuple[int, int, int], set[int]] = {}
        """By wait, the jobs that it waits for and that have not ended."""
        self.runs: dict[str, OpenRun] = {}
        self.newest_run = 0
        self.run_mentions: list[Mention] = []
        self.forked: dict[int, tuple[str, str]] = {}
        """By its first entry, a run that continues another one, and that, until the story of that one tells of it."""
        self.run_keys: dict[tuple[str, bytes], KeyFact] = {}
        self.run_jobs: dict[int, tuple[OpenRun, str, int]] = {}
        """Open jobs that belong to nodes of runs: the run, the node, the item."""
        self.approvals: dict[int, ApprovalFact] = {}
        """Every request for approval, by the entry that records it."""
        self.partitions: dict[tuple[str, str], int] = {}
        """Every partition by tenant and name, numbered in the order in which their first jobs came in."""
        self.new = no_facts()

    def take_facts(self) -> NewFacts:
        """The facts since the last call that no later entry can change."""
        taken, self.new = self.new, no_facts()
        return taken

    def say(self, entry: Entry, invariant: str, text: str) -> None:
        """Note a violation."""
        self._violations.append(Violation(entry.seq, invariant, text))

    def enrol(self, entry: Entry) -> str:
        """The partition that a job comes in with, which has a number from then on; empty when it has none."""
        name: str = entry.data.get("partition", "")
        if name:
            self.partitions.setdefault((entry.tenant, name), len(self.partitions) + 1)
        return name

    def use_key(self, entry: Entry, key: str, fact: KeyFact) -> None:
        """A job comes in under the digest of an idempotency key."""
        known = self.keys.setdefault((entry.tenant, bytes.fromhex(key)), fact).number
        if known != fact.number:
            self.say(entry, "E7", f"its idempotency key made job number {known} before")

    def use_run_key(self, entry: Entry, key: str, fact: KeyFact) -> None:
        """A run begins under the digest of an idempotency key."""
        known = self.run_keys.setdefault((entry.tenant, bytes.fromhex(key)), fact).number
        if known != fact.number:
            self.say(entry, "E7", f"its idempotency key made run number {known} before")

    def go(self, entry: Entry, job: OpenJob, target: str) -> None:
        """Change a job's state, as the table of transitions allows."""
        if JOB_TRANSITIONS[job.state].get(target) != entry.type:
            self.say(entry, "E4", f"job {job.number} may not go from {job.state} to {target} by {entry.type}")
        job.state = target

    def check_previous(self, entry: Entry, last: int | None) -> None:
        """An entry names the last one of its story."""
        if entry.previous != last:
            self.say(entry, "previous", f"entry {last} came last in this story, it names {entry.previous}")

    def follows(self, entry: Entry, job: OpenJob) -> None:
        """An entry names the last one of its job's story."""
        self.check_previous(entry, job.entry)

    def gone(self, entry: Entry, number: int) -> None:
        """An entry about a job that is not open under this id."""
        outcome = self.outcomes.get(number)
        if outcome not in TERMINAL_STATES:
            self.say(entry, "E2", f"nobody submitted job number {number} under the id that it names")
        elif entry.type in ENDS:
            self.say(entry, "E12", f"job number {number} had {outcome} before: it has two outcomes")
        else:
            self.say(entry, "E5", f"job number {number} had {outcome} before, and nothing may follow that")

    def check_attempt(self, entry: Entry, job: OpenJob, attempt: int) -> None:
        """Compare an attempt's number with the count of those before."""
        if attempt != job.attempt:
            self.say(entry, "E10", f"job {job.number} is at attempt {job.attempt}, it says {attempt}")

    def check_lease(self, entry: Entry, job: OpenJob, attempt: int, previous: int) -> None:
        """A worker gets a job: what it must fit."""
        number = job.number
        self.go(entry, job, "running")
        if job.missing:
            self.say(
                entry, "E11", f"job {number} was started while {job.missing} jobs it runs after are open"
            )
        if previous != job.entry:
            self.say(entry, "previous", f"entry {job.entry} of job {number} came last, it names {previous}")
        if entry.seq <= job.fence:
            self.say(entry, "E3", f"fence {entry.seq} of job {number} is not above its last, {job.fence}")
        self.check_attempt(entry, job, attempt)

    def check_fence(self, entry: Entry, job: OpenJob, decided: dict[str, Any]) -> None:
        """A report counts under the fence of the lease alone, and for what was decided about it."""
        given = decided["input"]
        if job.state != "running" or not given["fence"] == given["fence_current"] == job.fence:
            text = f"it was settled under fence {given['fence']}; the lease in its story has {job.fence}"
            self.say(entry, "E3", text)
        if _SETTLED.get(decided["chosen"]) != entry.type:
            self.say(entry, "E14", f"{decided['chosen']} was chosen, and {entry.type} was done")

    def keep_failure(self, entry: Entry, job: OpenJob) -> None:
        """How an attempt, or its job, has failed is kept beside the journal."""
        self.new.failures.append(FailureFact(job.number, entry.seq, entry.data["error"]["digest"]))

    def leave(self, entry: Entry, job: OpenJob, state: str, output: str | None) -> None:
        """The job has ended: forget it, but for its outcome and those that wait for it."""
        del self.open[job.number]
        self.by_subject.pop(job.subject, None)
        self.outcomes.put(job.number, state)
        for wait in job.waits:
            self.awaited.pop(wait[:3], None)
        ended = Ended(job.number, state, job.attempt, job.losses, entry.at, output, entry.seq)
        self.new.ended.append(ended)
        self.follows_from_end(job.number, state)

    def follows_from_end(self, number: int, state: str) -> None:
        """A job has ended: tell those that wait for it, and the run that it belongs to."""
        if number in self.followers:
            self.tell_followers(number, succeeded=state == "succeeded")
        if number in self.run_jobs:
            self.node_job_ended(number, state)

    def tell_followers(self, number: int, *, succeeded: bool) -> None:
        """Whoever waits for a job that has ended waits for one less."""
        for follower in self.followers.pop(number, ()):
            if isinstance(follower, tuple):
                self.awaited.get(follower, set()).discard(number)
                continue
            child = self.open.get(follower)
            if child is not None:
                child.missing -= 1
                child.parents_failed += not succeeded

    def node_job_ended(self, number: int, state: str) -> None:
        """A job of a node has ended."""
        run, name, item = self.run_jobs.pop(number)
        run.open_jobs -= 1
        if item == _UNDO:
            run.undone = (name, state)
            return
        run.nodes[name].count_end(state)


def decision_of(entry: Entry) -> dict[str, Any]:
    """The decision of an entry that must have one; InvalidInput when it has none."""
    if entry.decision is None:
        raise InvalidInput(f"a {entry.type} is decided by a rule, and it names none", field="decision")
    return entry.decision
