"""The fold of proposals: which trees of jobs there are, what is used of their budgets, what was proposed in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.journal import Entry
from sheratan.kernel.facts import Mention, OpenJob, Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_steps import StepFold
from sheratan.kernel.fold_workflows import runs_above
from sheratan.kernel.proposals import ACCEPTED, likeness

__all__ = ["Coming", "MemberBook", "ProposalFold", "TreeBook"]

_BUDGET = ("jobs_max", "depth_max", "wall_us", "stalls_after")


class MemberBook(msgspec.Struct, gc=False):
    """An open job of a tree."""

    root: int
    depth: int
    made: int = 0
    fruitless: int = 0


class TreeBook(msgspec.Struct):
    """A tree that has open jobs: its budget, in the order of `_BUDGET`, what is used of it, and what was made."""

    run: tuple[int, str] | None
    """Number and id of the run of a workflow that it counts for."""
    began_us: int
    budget: tuple[int, ...]
    jobs: int = 0
    members: int = 1
    made: dict[str, tuple[int, str]] = {}
    """By what is alike in kind and input, in hex since a state has only text for keys: the number and id of the job."""


class Coming(NamedTuple):
    """Jobs that come next, since they were accepted: by what entry, of which job, the kind and input of each."""

    entry: int
    by_job: int
    jobs: list[tuple[str, str]]


class ProposalFold(StepFold):
    """What each entry about proposals does, and what it must fit."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.trees: dict[int, TreeBook] = {}
        """By their roots."""
        self.members: dict[int, MemberBook] = {}
        self.coming: Coming | None = None
        """What was accepted last and is not made yet."""

    def proposed(self, entry: Entry) -> None:
        """A running job proposes others."""
        job = self.by_subject.get(entry.subject)
        if job is None:
            self.gone(entry, parse_job_id(entry.subject).number)
            return
        self.follows(entry, job)
        if job.state != "running":
            self.say(entry, "E3", f"job {job.number} proposes others while it is {job.state}")
        if self.coming is not None:
            self.say(entry, "P1", f"jobs that entry {self.coming.entry} has accepted were not made")
        given, chosen = decision_of(entry)["input"], decision_of(entry)["chosen"]
        member = self._proposer(entry, job, given)
        tree = self.trees[member.root]
        self._check_proposed(entry, given, tree, member)
        decided = zip(given["proposals"], chosen["verdicts"], strict=True)
        accepted = [(one["kind"], one["input"]) for one, code in decided if code == ACCEPTED]
        tree.jobs += len(accepted)
        if entry.data["jobs"] != tree.jobs:
            self.say(entry, "P1", f"{tree.jobs} jobs are made by now; it says {entry.data['jobs']}")
        if tree.run is not None:
            self._count_proposed(entry, given, tree.run, len(accepted))
        member.fruitless, member.made = chosen["fruitless"], member.made + len(accepted)
        self.coming = Coming(entry.seq, job.number, accepted) if accepted else None
        job.placed = job.placed or (job.entry, job.steps)
        job.entry = entry.seq

    def check_submitter(self, entry: Entry, number: int) -> None:
        """A job comes in, maybe one that a running job has submitted, and maybe one that this has proposed."""
        by_job = entry.data.get("by_job")
        if by_job is None:
            return
        running = self.by_subject.get(by_job)
        if running is None or running.state != "running":
            self.say(entry, "E3", f"it was submitted by {by_job}, which did not run")
            return
        member = self.members.get(running.number)
        depth = 0 if entry.cause is None else self._made_of_proposal(entry, number, running.number)
        if member is not None:
            self.trees[member.root].members += 1
            self.members[number] = MemberBook(member.root, member.depth + depth)

    def _made_of_proposal(self, entry: Entry, number: int, by_job: int) -> int:
        """A job is made of a proposal; returns how much deeper than the one that has proposed it it is."""
        coming, key = self.coming, (entry.data["kind"], entry.data["input"])
        if coming is None or (entry.cause, by_job, key) != (coming.entry, coming.by_job, coming.jobs[0]):
            self.say(
                entry,
                "P1",
                f"entry {entry.cause} has not accepted it as the next job of {entry.data['by_job']}",
            )
            return 0
        self.trees[self.members[by_job].root].made[likeness(*key).hex()] = (number, entry.subject)
        self.coming = coming._replace(jobs=coming.jobs[1:]) if len(coming.jobs) > 1 else None
        return 1

    def follows_from_end(self, number: int, state: str) -> None:
        """A job has ended: it leaves its tree, which is over without open jobs."""
        super().follows_from_end(number, state)
        if number in self.members:
            self.leaves_tree(number)

    def leaves_tree(self, number: int) -> None:
        """A job of a tree has ended."""
        root = self.members.pop(number).root
        self.trees[root].members -= 1
        if not self.trees[root].members:
            del self.trees[root]

    def _proposer(self, entry: Entry, job: OpenJob, given: dict[str, Any]) -> MemberBook:
        """The job in its tree; one that belongs to none is the root of a new one."""
        member = self.members.get(job.number)
        if member is None:
            member = self.members[job.number] = MemberBook(job.number, 0)
            of_run = self.run_jobs.get(job.number)
            run = None if of_run is None else (of_run[0].number, of_run[0].subject)
            budget = tuple(given[name] for name in _BUDGET)
            self.trees[job.number] = TreeBook(run, entry.at, budget, made={})
        return member

    def _check_proposed(
        self, entry: Entry, given: dict[str, Any], tree: TreeBook, member: MemberBook
    ) -> None:
        told = (given["jobs"], given["depth"], given["elapsed_us"], given["fruitless"])
        stands = (tree.jobs, member.depth, entry.at - tree.began_us, member.fruitless)
        if told != stands:
            text = f"jobs, depth, time and calls without a job are {stands}; the decision was told {told}"
            self.say(entry, "P1", text)
        budget = tuple(given[name] for name in _BUDGET)
        if budget != tree.budget:
            self.say(entry, "P1", f"its budget is {tree.budget}; the decision was told {budget}")
        if ("runs" in given) != (tree.run is not None):
            self.say(entry, "P1", "whether it counts for a run is not as the decision was told")
        for one in given["proposals"]:
            known = tree.made.get(likeness(one["kind"], one["input"]).hex()) if "input" in one else None
            made = None if known is None else known[1]
            if one.get("made") != made:
                text = f"{made} was made of the same; the decision was told {one.get('made')}"
                self.say(entry, "P1", text)

    def _count_proposed(
        self, entry: Entry, given: dict[str, Any], of_run: tuple[int, str], jobs: int
    ) -> None:
        """In a run of a workflow the jobs count for that, and for those above it."""
        number, subject = of_run
        run = self.runs.get(subject)
        state = "ended" if run is None else run.state
        runs = [] if run is None else [run, *runs_above(run)]
        told = [one[:2] for one in given["runs"]]
        if given["run_state"] != state or told != [[one.subject, one.jobs] for one in runs]:
            self.say(entry, "E10", f"its run is {state}, or has other numbers of jobs than {told}")
        for one in runs:
            one.jobs += jobs
        self.run_mentions.append(Mention(number, entry.seq))
