"""The part of the model that knows proposals: which of them make jobs, and what is used of the budgets of trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from sheratan.contracts.budgets import ProposalBudget
from sheratan.contracts.limits import Limits
from sheratan.contracts.proposals import PROPOSED, ProposalAnswer, Rejection
from sheratan.engine.commands import NewJob, Pending, Propose, Submit
from sheratan.simulation.model_gates import ModelGates
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_run_state import ModelRun
from sheratan.simulation.model_state import TERMINAL, ModelJob

__all__ = ["ModelProposals"]


@dataclass
class ModelTree:
    """A tree: its budget, the run that its jobs count for, and what was made in it."""

    root: int
    run: ModelRun | None
    budget: ProposalBudget
    began_us: int
    made: set[tuple[str, str]] = field(default_factory=set)
    """The kinds and inputs that were made."""


@dataclass
class ModelMember:
    """An open job of a tree: how deep it is, what was made of its proposals, its calls in a row that made nothing."""

    tree: ModelTree
    depth: int
    made: int = 0
    fruitless: int = 0


class ModelProposals(ModelGates):
    """Jobs that are made of proposals, and those that are not."""

    def __init__(self, limits: Limits, hit: Callable[[str], None], *, short_windows: bool) -> None:
        super().__init__(limits, hit, short_windows=short_windows)
        self.members: dict[int, ModelMember] = {}

    def trees(self) -> tuple[dict[int, tuple[int, int, int]], dict[int, tuple[int, int, int, int]]]:
        """Of each tree with open jobs its run, how many jobs were made, and its open jobs; and those jobs."""
        members = {
            number: (one.tree.root, one.depth, one.made, one.fruitless)
            for number, one in sorted(self.members.items())
        }
        trees = {one.tree.root: one.tree for one in self.members.values()}
        open_jobs = [root for root, *_ in members.values()]
        return {
            root: (tree.run.number if tree.run else 0, len(tree.made), open_jobs.count(root))
            for root, tree in sorted(trees.items())
        }, members

    def _Propose(self, pending: Pending, command: Propose) -> ProposalAnswer:  # noqa: N802 - the command's name
        job = self._stepping(command)
        if command.step <= len(job.steps):
            self.hit("proposal.came_again")
            return msgspec.json.decode(job.steps[command.step - 1][2] or b"", type=ProposalAnswer)
        member = self.members.get(job.number) or self._begin_tree(job, command.budget)
        codes = list(self._codes(member, command))
        jobs = _accepted(command, codes)
        given = self._actual_value(pending)
        told = given.verdicts if isinstance(given, ProposalAnswer) else []
        ids = [one for one in told if isinstance(one, str)]
        asked = Submit(jobs=jobs, by_job=job.number, fence=job.fence)
        self._take_in(asked, [(public_id, False) for public_id in ids])
        self._keep(job, member, [self.by_id[public_id] for public_id in ids])
        return self._answer(job, member, codes, told)

    def _begin_tree(self, job: ModelJob, budget: ProposalBudget) -> ModelMember:
        run = self.part_of[job.number][0] if job.number in self.part_of else None
        return ModelMember(ModelTree(job.number, run, budget, self.at_us), 0)

    def _codes(self, member: ModelMember, command: Propose) -> Iterator[str]:
        """What becomes of each proposal."""
        new: set[tuple[str, str]] = set()
        for _, one in command.proposals:
            code = self._code(member, one, new)
            if isinstance(one, NewJob) and code == "accepted":
                new.add((one.kind, one.digest))
            self.hit(f"proposal.{code}")
            # A run has no code of its own.
            yield "jobs_budget" if code == "run_budget" else code

    def _code(self, member: ModelMember, one: NewJob | Rejection, new: set[tuple[str, str]]) -> str:
        if member.fruitless >= member.tree.budget.stalls_after:
            return "stalled"
        if isinstance(one, Rejection):
            return one.code
        if (one.kind, one.digest) in member.tree.made | new:
            return "repeat"
        return self._beyond_budget(member, len(new))

    def _beyond_budget(self, member: ModelMember, new: int) -> str:
        tree = member.tree
        budget, run = tree.budget, tree.run
        if run is not None and run.state != "running":
            return "run_over"
        if self.at_us - tree.began_us >= budget.wall_seconds_max * 1_000_000:
            return "time_budget"
        if member.depth >= budget.depth_max:
            return "depth_budget"
        if len(tree.made) + new >= budget.jobs_max:
            return "jobs_budget"
        if run is not None and any(each.used + new >= each.jobs_max for each in run.chain):
            return "run_budget"
        return "accepted"

    def _keep(self, job: ModelJob, member: ModelMember, made: list[ModelJob]) -> None:
        tree = member.tree
        self.members[job.number] = member
        member.made += len(made)
        member.fruitless = 0 if made else member.fruitless + 1
        for one in made:
            tree.made.add((one.wanted.kind, one.wanted.digest))
            self.members[one.number] = ModelMember(tree, member.depth + 1)
        if tree.run is not None:
            for run in tree.run.chain:
                run.used += len(made)

    def _answer(
        self, job: ModelJob, member: ModelMember, codes: list[str], told: list[str | Rejection]
    ) -> ProposalAnswer:
        """The ids, and the words of reasons, are the engine's."""
        if len(told) != len(codes) or not all(map(_says, told, codes)):
            raise Refused(f"of the proposals {codes}")
        stalled = member.fruitless >= member.tree.budget.stalls_after
        answer = ProposalAnswer(verdicts=told, stalled=stalled)
        if stalled:
            self.hit("proposal.stalls")
        self.noted["job.proposed"] += 1
        self.noted["step.succeeded"] += 1
        job.steps.append(
            (PROPOSED, 1 + sum(name == PROPOSED for name, *_ in job.steps), msgspec.json.encode(answer))
        )
        return answer

    def _add(self, new: NewJob, public_id: str, by_job: int | None, origin: int | None) -> ModelJob:
        job = super()._add(new, public_id, by_job, origin)
        member = None if by_job is None else self.members.get(by_job)
        if member is not None:
            self.members[job.number] = ModelMember(member.tree, member.depth)
        return job

    def _cancel_children(self, job: ModelJob) -> None:
        """What was made of its proposals is not wanted any more, however a job has ended."""
        super()._cancel_children(job)
        self.members.pop(job.number, None)
        for name, _, output in job.steps:
            if name == PROPOSED and output is not None:
                verdicts = msgspec.json.decode(output, type=ProposalAnswer).verdicts
                for made in [self.by_id[one] for one in verdicts if isinstance(one, str)]:
                    if made.state not in TERMINAL:
                        self.hit("proposal.cancelled")
                        self._cancel(made)


def _accepted(command: Propose, codes: list[str]) -> tuple[NewJob, ...]:
    decided = zip(command.proposals, codes, strict=True)
    return tuple(one for (_, one), code in decided if code == "accepted" and isinstance(one, NewJob))


def _says(told: str | Rejection, code: str) -> bool:
    return (told.code if isinstance(told, Rejection) else "accepted") == code
