"""Jobs that a running job proposes: decided about, made and recorded as one of its steps, all in one commit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from sheratan.contracts.principal import Principal
from sheratan.contracts.proposals import ProposalAnswer, Rejection
from sheratan.engine.batch import Batch
from sheratan.engine.by_jobs import count_fan_out, find_running, submitting_job
from sheratan.engine.children import find_known, write_answer
from sheratan.engine.commands import NewJob, Propose
from sheratan.engine.intake import plan_all, take_in
from sheratan.engine.room import check_room
from sheratan.engine.runs import OpenRun
from sheratan.engine.state import Held
from sheratan.engine.submitted import Plan, Source
from sheratan.engine.trees import find_member, find_tree, join
from sheratan.kernel.proposals import ACCEPTED, PROPOSE, decide_proposals, has_stalled, likeness
from sheratan.kernel.rules import Verdict, decision
from sheratan.store.proposal_rows import MadeRow, MemberRow, TreeRow

__all__ = ["propose"]


def propose(batch: Batch, command: Propose, by: Principal) -> ProposalAnswer:
    """Decide about proposals and make jobs of those that are accepted; what is recorded already is answered again."""
    held = find_running(batch, command.number, command.fence)
    known = find_known(batch, held, command)
    if known is not None:
        return msgspec.json.decode(known, type=ProposalAnswer)
    member = find_member(batch, command.number)
    tree = _new_tree(batch, command) if member is None else find_tree(batch, member.root)
    member = member or MemberRow(command.number, tree.root, 0, 0, 0)
    given = _given(batch, command, tree, member)
    verdict = decide_proposals(given)
    jobs, submitter = _accepted(command, verdict), submitting_job(batch, command.number, command.fence, by)
    # What may refuse the call comes before its first entry.
    planned = _plan(batch, command, jobs, submitter)
    entry = _record(batch, held, tree.jobs + len(planned), decision(PROPOSE, given, verdict), by)
    first = batch.unit.next_number
    ids = [take_in(batch, plan, submitter, entry) for plan in planned]
    if tree.members == 0:
        batch.state.trees += 1
        tree = tree._replace(members=1)
    _keep(batch, tree, member._replace(fruitless=verdict.chosen["fruitless"]), jobs, first)
    if tree.run:
        batch.unit.run_mentions.append((tree.run, entry))
        _count_in_runs(batch, tree.run, len(planned))
    answer = _answer(command, given, verdict, iter(ids))
    write_answer(batch, command, answer, by)
    return answer


def _new_tree(batch: Batch, command: Propose) -> TreeRow:
    """A job that belongs to no tree proposes: it is the root of one."""
    budget, node = command.budget, batch.state.runs.of_job.get(command.number)
    return TreeRow(
        command.number,
        0 if node is None else node.run.row.number,
        batch.at_us,
        budget.jobs_max,
        budget.depth_max,
        round(budget.wall_seconds_max * 1_000_000),
        budget.stalls_after,
        0,
        0,
    )


def _given(batch: Batch, command: Propose, tree: TreeRow, member: MemberRow) -> dict[str, Any]:
    """What the rule is told."""
    given: dict[str, Any] = {
        "proposals": [_fact(batch, tree, kind, job) for kind, job in command.proposals],
        "jobs": tree.jobs,
        "jobs_max": tree.jobs_max,
        "depth": member.depth,
        "depth_max": tree.depth_max,
        "elapsed_us": batch.at_us - tree.began_us,
        "wall_us": tree.wall_us,
        "fruitless": member.fruitless,
        "stalls_after": tree.stalls_after,
    }
    if tree.run:
        run = batch.state.runs.open.get(tree.run)
        given["run_state"] = "ended" if run is None else run.place.state
        given["runs"] = [
            [one.id, one.place.jobs, one.plan.workflow.budget.jobs_max] for one in _with_above(run)
        ]
    return given


def _fact(batch: Batch, tree: TreeRow, kind: str, job: NewJob | Rejection) -> dict[str, Any]:
    if isinstance(job, Rejection):
        return {"kind": kind, "refused": job.code}
    like = likeness(kind, job.digest)
    made = batch.unit.proposals.made.get((tree.root, like)) or batch.state.store.made(tree.root, like)
    fact: dict[str, Any] = {"kind": kind, "input": job.digest}
    if made is not None:
        fact["made"] = batch.trace(made.number).id
    return fact


def _accepted(command: Propose, verdict: Verdict) -> tuple[NewJob, ...]:
    decided = zip(command.proposals, verdict.chosen["verdicts"], strict=True)
    return tuple(job for (_, job), code in decided if code == ACCEPTED and not isinstance(job, Rejection))


def _plan(batch: Batch, command: Propose, jobs: tuple[NewJob, ...], by: Principal) -> list[Plan]:
    check_room(batch, jobs, by)
    planned = plan_all(batch, jobs, by, Source(by_job=command.number))
    count_fan_out(batch, command.number, len(planned))
    # None of them has a key, so none is there already.
    return [plan for plan in planned if not isinstance(plan, str)]


def _record(batch: Batch, held: Held, jobs: int, record: dict[str, Any], by: Principal) -> int:
    lease = held.lease
    entry = batch.unit.record(
        "job.proposed", held.id, {"jobs": jobs}, by, decision=record, previous=lease.entry
    )
    batch.state.held[lease.number] = replace(held, lease=lease._replace(entry=entry))
    return entry


def _keep(batch: Batch, tree: TreeRow, member: MemberRow, jobs: tuple[NewJob, ...], first: int) -> None:
    """What the tree has from now on: the jobs that were made, with numbers from `first` on, are one deeper."""
    changes = batch.unit.proposals
    changes.trees[tree.root] = tree._replace(jobs=tree.jobs + len(jobs))
    changes.members[member.number] = member._replace(made=member.made + len(jobs))
    for number, job in enumerate(jobs, first):
        like = likeness(job.kind, job.digest)
        changes.made[tree.root, like] = MadeRow(tree.root, like, number)
    join(batch, member, range(first, first + len(jobs)), member.depth + 1)


def _count_in_runs(batch: Batch, number: int, jobs: int) -> None:
    """The jobs count for the run, and for those above it."""
    for run in _with_above(batch.state.runs.open[number]) if jobs else ():
        counted, run.place = run.place, run.place._replace(jobs=run.place.jobs + jobs)
        batch.unit.count_jobs(counted, run.place)


def _with_above(run: OpenRun | None) -> tuple[OpenRun, ...]:
    return () if run is None else (run, *run.above())


def _answer(command: Propose, given: dict[str, Any], verdict: Verdict, ids: Iterator[str]) -> ProposalAnswer:
    """What the job is told. Why its kind does not take an input stands here alone: the journal holds no inputs."""
    reasons = iter([Rejection(code=code, because=text) for _, code, text in verdict.rejected or ()])
    verdicts: list[str | Rejection] = []
    for (_, job), code in zip(command.proposals, verdict.chosen["verdicts"], strict=True):
        if code == ACCEPTED:
            verdicts.append(next(ids))
            continue
        reason = next(reasons)
        verdicts.append(job if isinstance(job, Rejection) and job.code == code else reason)
    return ProposalAnswer(verdicts=verdicts, stalled=has_stalled(given, verdict.chosen))
