"""Jobs that a running job proposes: each is made within a budget or rejected, and none is made twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.budgets import ProposalBudget
from sheratan.contracts.errors import InvalidInput, LimitReached, LostLease, SheratanError, TooLarge
from sheratan.contracts.jobs import JobError, Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.proposals import Proposal, ProposalAnswer, Rejection
from sheratan.contracts.worker import Assignment, Wait
from sheratan.engine.commands import SubmitGated
from sheratan.engine.gate_commands import NewGate
from sheratan.engine.prepare import prepare_job
from tests.engine.runs import node, sub, wf, work_off
from tests.engine.world import World


def on(value: Any, kind: str = "work", **options: Any) -> Proposal:
    """A proposal of a job with this input."""
    return Proposal(kind=kind, input=value, options=Options(**options))


def begun(world: World, **options: Any) -> tuple[str, Assignment]:
    """A job that runs."""
    job = world.submit(backoff_base_seconds=0.0, **options)
    [given] = world.lease(world.register("planner"))
    return job, given


def codes(answer: ProposalAnswer) -> list[str]:
    """What has become of each proposal."""
    return [one.code if isinstance(one, Rejection) else "accepted" for one in answer.verdicts]


def made(answer: ProposalAnswer) -> list[str]:
    """The jobs that were made."""
    return [one for one in answer.verdicts if isinstance(one, str)]


def why(answer: ProposalAnswer, place: int) -> str:
    """Why a proposal was rejected."""
    verdict = answer.verdicts[place]
    assert isinstance(verdict, Rejection)
    return verdict.because


def next_of(world: World, job: str) -> Assignment:
    """A worker gets this job, and others that are ready before it."""
    return next(one for one in world.lease(world.register("next"), 10) if one.id == job)


def trees(world: World) -> tuple[int, int, int]:
    """How many trees, members and made jobs are stored."""
    store = world.store
    assert store.tree_count() == world.state.trees
    return len(store.all_trees()), len(store.all_tree_members()), len(store.all_made())


def test_what_is_accepted_is_made_once_however_often_it_is_asked(world: World) -> None:
    job, given = begun(world)
    answer = world.propose(given, 1, on(1), on(2, priority=1, tags=("t",)))
    assert codes(answer) == ["accepted", "accepted"]
    assert world.propose(given, 1, on(1), on(2)) == answer
    assert world.types().count("job.submitted") == 3
    second = world.record(made(answer)[1])
    assert (second.submitted_by_job, second.priority, second.tags, second.input) == (job, 1, ["t"], 2)
    entry = world.last("job.proposed")
    assert [one.cause for one in world.entries() if one.subject in made(answer)] == [entry.seq] * 2
    assert f"accepted by entry {entry.seq}" in world.told(second.id)[0]


def test_an_attempt_that_was_given_up_proposes_nothing(world: World) -> None:
    _, given = begun(world)
    world.fail(given)
    with pytest.raises(LostLease):
        world.propose(given, 1, on(1))
    assert trees(world) == (0, 0, 0)


def test_the_same_kind_and_input_is_a_repeat_whatever_became_of_the_first(world: World) -> None:
    job, given = begun(world)
    [first] = made(world.propose(given, 1, on({"a": 1, "b": 2})))
    world.settle(next_of(world, first), "failed", error=JobError(error_class="fatal", type="No", message=""))
    answer = world.propose(
        given, 2, on({"b": 2, "a": 1}), on({"a": 2}), on({"a": 2}, queue="q"), on(1, "other")
    )
    assert codes(answer) == ["repeat", "accepted", "repeat", "accepted"]
    assert first in why(answer, 0)
    assert "proposal 2 of this call" in why(answer, 2)
    [line] = [text for text in world.told(job) if "2 of 4 proposals accepted" in text]
    assert "its budget has made 3 jobs by now" in line


def test_what_can_be_no_job_is_rejected_and_the_rest_is_made() -> None:
    world = World(limits=Limits(payload_bytes_max=100))
    job, given = begun(world)
    answer = world.propose(
        given,
        1,
        on(1, "ghost"),
        on(1, "no name\ud800"),
        on("x" * 200),
        on(float("nan")),
        on(1, cost=0),
        on(1),
    )
    assert codes(answer) == [
        "unknown_kind",
        "unknown_kind",
        "too_large",
        "invalid_input",
        "invalid_input",
        "accepted",
    ]
    assert "loaded: other, work" in why(answer, 0)
    decided = world.last("job.proposed").decision
    assert decided is not None
    told = decided["input"]["proposals"]
    assert [one["kind"] for one in told] == ["ghost", "", "work", "work", "work", "work"]
    assert world.recorded(job)[0][2]["verdicts"][5] == made(answer)[0]
    world.check()


def test_the_reason_of_a_rejection_is_short(world: World) -> None:
    _, given = begun(world)
    answer = world.propose(given, 1, on(1, "k" * 100_000))
    assert len(why(answer, 0)) < 600


@pytest.mark.parametrize(
    ("proposals", "refusal", "field"),
    [
        ((), InvalidInput, "proposals"),
        ((on(1, key="k"),), InvalidInput, "options"),
        ((on(1), on(1, after=("job_1",))), InvalidInput, "options"),
        ((on(1), on(2), on(3)), TooLarge, "proposals"),
    ],
)
def test_what_is_no_proposal_is_refused(proposals: Any, refusal: type[SheratanError], field: str) -> None:
    world = World(limits=Limits(proposals_max=2))
    _, given = begun(world)
    with pytest.raises(refusal) as caught:
        world.propose(given, 1, *proposals)
    assert caught.value.field == field
    assert "job.proposed" not in world.types()


def test_no_more_jobs_are_made_than_the_budget_has(world: World) -> None:
    _, given = begun(world)
    budget = ProposalBudget(jobs_max=3)
    assert codes(world.propose(given, 1, on(1), on(2), budget=budget)) == ["accepted", "accepted"]
    answer = world.propose(given, 2, on(3), on(4))
    assert codes(answer) == ["accepted", "jobs_budget"]
    assert why(answer, 1) == "3 of 3 jobs are used"


def test_no_job_is_deeper_than_the_budget_allows(world: World) -> None:
    _, given = begun(world)
    budget = ProposalBudget(depth_max=2)
    for value, expected in ((1, "accepted"), (2, "accepted"), (3, "depth_budget")):
        answer = world.propose(given, 1, on(value), budget=budget)
        assert codes(answer) == [expected]
        if expected == "accepted":
            given = next_of(world, made(answer)[0])
            # What is given below counts for nothing: the budget is that of the root.
            budget = ProposalBudget(depth_max=100)


def test_nothing_is_made_after_the_time_of_the_budget(world: World) -> None:
    _, given = begun(world, run_timeout_seconds=1_000)
    budget = ProposalBudget(wall_seconds_max=60)
    assert codes(world.propose(given, 1, on(1), budget=budget)) == ["accepted"]
    world.tick(59)
    assert codes(world.propose(given, 2, on(2))) == ["accepted"]
    world.tick(1)
    assert codes(world.propose(given, 3, on(3))) == ["time_budget"]


def test_what_is_below_shares_the_budget_and_what_was_proposed(world: World) -> None:
    _, given = begun(world)
    budget = ProposalBudget(jobs_max=3, depth_max=9)
    [child] = made(world.propose(given, 1, on(1), budget=budget))
    below = next_of(world, child)
    assert codes(world.propose(below, 1, on(1), on(2))) == ["repeat", "accepted"]
    assert codes(world.propose(given, 2, on(2), on(3), on(4))) == ["repeat", "accepted", "jobs_budget"]


@pytest.mark.parametrize("way", ["spawn", "gate"])
def test_what_a_job_of_a_tree_submits_belongs_to_the_tree(world: World, way: str) -> None:
    _, given = begun(world)
    budget = ProposalBudget(depth_max=1)
    world.propose(given, 1, on(1), budget=budget)
    if way == "spawn":
        [child] = world.spawn(given, 2, Submission(kind="other"))
    else:
        new = prepare_job(Submission(kind="other"), world.registry, world.limits)
        gate = NewGate(what="throttle", key="ab" * 32, period_us=1_000_000, jobs=1)
        child = world.ask(SubmitGated(job=new, gate=gate, by_job=given.number, fence=given.fence)).id
    below = next_of(world, child)
    answer = world.propose(below, 1, on(1), on(2))
    assert codes(answer) == ["repeat", "accepted"]
    below = next_of(world, made(answer)[0])
    assert codes(world.propose(below, 1, on(3))) == ["depth_budget"]


def test_a_job_stalls_after_calls_in_which_nothing_is_accepted(world: World) -> None:
    job, given = begun(world)
    world.propose(given, 1, on(1))
    budget = [world.propose(given, step, on(1)).stalled for step in (2, 3)]
    assert budget == [False, False]
    # Something is accepted, so it counts from the beginning.
    assert not world.propose(given, 4, on(1), on(2)).stalled
    assert [world.propose(given, step, on(1)).stalled for step in (5, 6, 7)] == [False, False, True]
    assert "The job has stalled: nothing was accepted in 3 calls in a row." in world.told(job)[-2]
    late = world.propose(given, 8, on(3))
    assert (codes(late), late.stalled) == (["stalled"], True)


def test_other_jobs_of_the_tree_do_not_stall_with_it(world: World) -> None:
    _, given = begun(world)
    budget = ProposalBudget(stalls_after=1)
    [child] = made(world.propose(given, 1, on(1), budget=budget))
    below = next_of(world, child)
    assert world.propose(below, 1, on(1)).stalled
    assert codes(world.propose(given, 2, on(2))) == ["accepted"]


@pytest.mark.parametrize("end", ["cancelled", "failed", "succeeded"])
def test_what_was_proposed_is_cancelled_with_the_end_of_its_proposer(world: World, end: str) -> None:
    job, given = begun(world, attempts_max=1)
    queued, running = made(world.propose(given, 1, on(1, priority=9), on(2)))
    [spawned] = world.spawn(given, 2, Submission(kind="work", options=Options(priority=9)))
    [held] = world.lease(world.register("child"))
    assert held.id == running
    if end == "cancelled":
        world.park(given, Wait(name="wait:jobs", occurrence=1, what="jobs", jobs=(queued,)))
        world.cancel(job)
    elif end == "failed":
        world.fail(given)
    else:
        world.settle(given)
    assert [world.state_of(one) for one in (job, queued)] == [end, "cancelled"]
    assert [stop.number for stop in world.stops] == [held.number]
    assert world.state_of(spawned) == ("queued" if end == "succeeded" else "cancelled")
    assert f"{job}, which had proposed it, " in world.last("job.cancel_requested").data["reason"]
    world.settle(held, "cancelled")
    assert trees(world) == ((1, 1, 2) if end == "succeeded" else (0, 0, 0))


def test_a_tree_of_one_batch_leaves_nothing(world: World) -> None:
    job, given = begun(world)
    answer, _ = world.batch(world.propose_command(given, 1, on(1)), world.settlement(given))
    assert world.state_of(job) == "succeeded"
    assert world.state_of(made(answer.value)[0]) == "cancelled"
    assert trees(world) == (0, 0, 0)


def test_a_tree_goes_on_as_long_as_one_of_its_jobs_is_open(world: World) -> None:
    """A planner that is spawned by what a planner has proposed has no budget of its own."""
    _, given = begun(world)
    [child] = made(world.propose(given, 1, on(1), budget=ProposalBudget(jobs_max=1)))
    below = next_of(world, child)
    [spawned] = world.spawn(below, 1, Submission(kind="other"))
    world.settle(below)
    world.settle(given)
    assert trees(world) == (1, 1, 1)
    assert codes(world.propose(next_of(world, spawned), 1, on(2))) == ["jobs_budget"]


def test_budgets_last_through_a_crash(tmp_path: Path) -> None:
    world = World(tmp_path / "db")
    job, given = begun(world)
    first = world.propose(given, 1, on(1), on(1), budget=ProposalBudget(jobs_max=2))
    world.crash()
    again = next_of(world, job)
    assert world.propose(again, 1, on(1), on(1)) == first
    assert codes(world.propose(again, 2, on(1), on(2), on(3))) == ["repeat", "accepted", "jobs_budget"]
    world.check()
    world.close()


def test_what_a_batch_that_was_not_written_has_proposed_is_forgotten(tmp_path: Path) -> None:
    world = World(tmp_path / "db")
    _, given = begun(world)
    world.fill_disk()
    with pytest.raises(Exception, match="full"):
        world.propose(given, 1, on("x" * 50_000))
    world.free_disk()
    assert trees(world) == (0, 0, 0)
    assert codes(world.propose(given, 1, on("x" * 50_000))) == ["accepted"]
    assert trees(world) == (1, 2, 1)
    world.close()


def test_a_full_queue_refuses_the_call_and_nothing_of_it_is_done() -> None:
    world = World(limits=Limits(queue_jobs_max=1, fan_out_jobs_max=2))
    _, given = begun(world)
    with pytest.raises(LimitReached, match="queue_jobs_max"):
        world.propose(given, 1, on(1), on(2))
    assert (world.types().count("job.proposed"), trees(world)) == (0, (0, 0, 0))
    with pytest.raises(LimitReached, match="fan_out_jobs_max"):
        world.propose(given, 1, on(1), on(2, queue="a"), on(3, queue="b"))
    assert codes(world.propose(given, 1, on(1), on(2, queue="a"))) == ["accepted", "accepted"]
    world.check()


def test_in_a_run_the_jobs_count_for_it_and_for_those_above(world: World) -> None:
    inner_flow = wf(sub("inner"), budget={"jobs_max": 5}, workflows=[_inner(jobs_max=9)])
    run = world.start_run(inner_flow)
    [given] = world.lease(world.register())
    answer = world.propose(given, 1, on(1), on(2), on(3), on(4))
    # The run of the node counts for one, and its job for another one.
    assert codes(answer) == ["accepted"] * 3 + ["jobs_budget"]
    assert why(answer, 3) == f"5 of 5 jobs of {run} are used"
    assert world.run_record(run).jobs == 5
    world.check()
    for job in made(answer):
        world.cancel(job)
    work_off(world, world.register())
    world.settle(given)
    assert world.run_record(run).state == "succeeded"


def _inner(**budget: Any) -> dict[str, Any]:
    flow = wf(node("a"), budget=budget)
    return {"format": flow.format, "name": "inner", "nodes": [node("a")], "budget": budget}


def test_nothing_comes_into_a_run_that_is_stopped_or_over(world: World) -> None:
    run = world.start_run(wf(node("a")))
    [given] = world.lease(world.register())
    [child] = made(world.propose(given, 1, on(1)))
    below = next_of(world, child)
    [spawned] = world.spawn(below, 1, Submission(kind="other"))
    world.settle(below)
    last = next_of(world, spawned)
    world.cancel_run(run)
    assert codes(world.propose(given, 2, on(2))) == ["run_over"]
    world.settle(given)
    assert world.run_record(run).state == "cancelled"
    answer = world.propose(last, 1, on(3))
    assert codes(answer) == ["run_over"]
    assert why(answer, 0) == "the run that it would count for has ended"
    assert trees(world) == (1, 1, 1)


def test_a_run_tells_of_what_its_jobs_have_proposed(world: World) -> None:
    run = world.start_run(wf(node("a")))
    [given] = world.lease(world.register())
    world.propose(given, 1, on(1, "ghost"), on(1, "no name"))
    world.propose(given, 2, on(1))
    first, second = world.run_record(run).proposals
    assert (first.job, first.accepted, first.proposed) == (given.id, 0, 2)
    assert first.rejected == [
        f"{name}: no such kind is loaded (unknown_kind)" for name in ("1, ghost", "2, of no kind")
    ]
    assert (second.accepted, second.proposed, second.rejected) == (1, 1, [])
    [_, _, told, _] = world.told(run)
    assert told.startswith(
        f"{given.id}, which is one of its jobs: It proposed jobs; its budget has made 0 jobs"
    )


def test_an_open_job_tells_what_is_used_of_its_budget(world: World) -> None:
    job, given = begun(world)
    assert world.record(job).proposals is None
    [child] = made(world.propose(given, 1, on(1), budget=ProposalBudget(wall_seconds_max=60)))
    use = world.record(child).proposals
    assert use is not None
    assert (use.root, use.depth, use.depth_max, use.jobs, use.jobs_max) == (job, 1, 5, 1, 25)
    assert use.until_us == world.last("job.proposed").at + 60_000_000
    world.settle(given)
    assert world.record(child).proposals is None


def test_a_budget_of_a_run_that_is_used_up_ends_it_as_before(world: World) -> None:
    run = world.start_run(wf(node("a"), node("b", after=["a"]), budget={"jobs_max": 2}))
    [given] = world.lease(world.register())
    assert codes(world.propose(given, 1, on(1), on(2))) == ["accepted", "jobs_budget"]
    world.settle(given)
    assert world.run_record(run).state == "out_of_jobs"
