"""Jobs that propose others: within their budgets and beyond, below each other, in a run, and to no end."""

from __future__ import annotations

from sheratan.contracts.budgets import ProposalBudget
from sheratan.contracts.proposals import PROPOSED, ProposalAnswer, Rejection
from sheratan.contracts.worker import Assignment
from sheratan.engine.commands import NewJob, Propose
from tests.journal.world import RUN_KINDS, World, new
from tests.journal.world_runs import start

BUDGET = ProposalBudget(jobs_max=3, depth_max=2, wall_seconds_max=60, stalls_after=2)
GHOST = Rejection(code="unknown_kind", because="no kind 'ghost' is loaded; loaded: count")


def job(number: int, kind: str = "count") -> NewJob:
    """A job to be, with an input of its own."""
    return new(kind=kind, data=b'{"n":%d}' % number)


def propose(world: World, given: Assignment, step: int, *jobs: NewJob | Rejection) -> list[str]:
    """Propose jobs; returns the ids of those that were made."""
    command = Propose(
        number=given.number,
        fence=given.fence,
        step=step,
        name=PROPOSED,
        occurrence=step,
        proposals=tuple(("ghost" if isinstance(job, Rejection) else job.kind, job) for job in jobs),
        budget=BUDGET,
    )
    answer: ProposalAnswer = world.ask(command)
    return [one for one in answer.verdicts if isinstance(one, str)]


def jobs_that_propose(world: World) -> None:
    """Trees that are over, and trees with open jobs; one of them counts for runs."""
    session = world.worker()
    _ended_tree(world, session)
    _open_tree(world, session)
    _tree_in_a_run(world)


def _ended_tree(world: World, session: int) -> None:
    world.submit(new())
    (planner,) = world.lease(session)
    propose(world, planner, 1, job(1), job(2), GHOST)
    propose(world, planner, 2, job(1))
    propose(world, planner, 3, GHOST)
    world.settle(session, planner, "failed", error="fatal")


def _open_tree(world: World, session: int) -> None:
    world.submit(new())
    (planner,) = world.lease(session)
    world.tick(1)
    propose(world, planner, 1, job(1))
    (below,) = world.lease(session)
    world.spawn(below, job(9, kind="report"))
    world.tick(1)
    propose(world, below, 2, job(1), job(2), job(3), job(4))
    propose(world, planner, 2, job(3))
    (one, *_) = world.lease(session, 1)
    world.settle(session, one)


def _tree_in_a_run(world: World) -> None:
    session = world.worker(kinds=RUN_KINDS)
    start(world, {"name": "a"}, budget={"jobs_max": 3})
    (planner,) = world.lease(session)
    propose(world, planner, 1, job(1), job(2), job(3))
