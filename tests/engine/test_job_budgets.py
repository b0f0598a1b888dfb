"""Budgets of single jobs: nothing is paid for that could go over one, and the job ends in place of the attempt."""

from __future__ import annotations

from pathlib import Path

import pytest

from sheratan.contracts.dead_letters import Edit
from sheratan.contracts.errors import IdempotencyConflict, InvalidInput, NotFound
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.jobs import JobError, Options, Submission
from sheratan.contracts.worker import Assignment
from sheratan.engine.commands import (
    Cancel,
    EndSession,
    KeepJobs,
    LeaseJobs,
    Pending,
    PriceKind,
    Replay,
    RetryJob,
    StartBulk,
    SubmitGated,
)
from sheratan.engine.edits import prepare_edit
from sheratan.engine.explain import story
from sheratan.engine.gate_commands import NewGate
from tests.engine.booking import opened
from tests.engine.pricing import price, priced
from tests.engine.runs import node, wf
from tests.engine.test_billing import reports
from tests.engine.world import PERSON, Answer, World

BROKEN = JobError(error_class="retryable", type="Boom", message="it broke")
FATAL = JobError(error_class="fatal", type="Boom", message="it is broken")
CREDITS = {"credits": 120}


def lease(world: World, slots: int = 10) -> list[Assignment]:
    """What a new worker gets, if anything is left for it."""
    answer = world.ask_lease(world.register(slots=slots), slots)
    return answer.value if answer.given else []


def why_it_failed(world: World, job: str) -> str:
    """Why a job has failed, as its story tells it."""
    [line] = [line for line in story(world.store, job).lines if line.type == "job.failed"]
    return line.text


def rule_of(world: World, entry_type: str) -> str:
    """By which rule the newest entry of a type was decided."""
    decision = world.last(entry_type).decision
    assert decision is not None
    rule: str = decision["rule"]
    return rule


def used(world: World, job: str) -> tuple[int, int, int]:
    """The budget of a job, and what is reserved and charged of it; and all that is wrong is told."""
    world.check()
    [one] = world.record(job).budget
    return one.amount, one.reserved, one.charged


def fails(world: World, given: Assignment, charge: int) -> None:
    """An attempt fails, and says what it has cost; then the backoff is over."""
    reports(world, given, "failed", charge, error=BROKEN)
    world.tick(100)


# At the submission -------------------------------------------------------------------------------------------------


def test_a_budget_that_is_too_small_for_one_attempt_is_refused(world: World) -> None:
    priced(world, 250)
    with pytest.raises(
        InvalidInput, match=r"may cost 250 credits, and the budget is 249; give at least"
    ) as one:
        world.submit(budget={"credits": 249})
    assert one.value.field == "budget"
    world.submit(budget={"credits": 250})
    world.check()


def test_a_budget_in_a_unit_that_nobody_has_is_refused(world: World) -> None:
    with pytest.raises(NotFound, match="there is no account in credits") as refused:
        world.submit(budget=CREDITS)
    assert refused.value.field == "budget"


def test_a_budget_bounds_only_the_units_that_it_names(world: World) -> None:
    priced(world, 250)
    job = world.submit("other", budget={"credits": 0})
    assert [one.id for one in lease(world)] == [job]
    world.check()


def test_another_budget_is_another_request_under_a_key(world: World) -> None:
    priced(world)
    job = world.submit(key="k", budget=CREDITS)
    assert world.submit(key="k", budget=CREDITS) == job
    for other in ({"credits": 121}, None):
        with pytest.raises(IdempotencyConflict) as refused:
            world.submit(key="k", budget=other)
        assert refused.value.field == "budget"


# Where it is decided whether there is another attempt --------------------------------------------------------------


def test_a_job_is_tried_again_as_long_as_its_budget_is_enough_for_an_attempt(world: World) -> None:
    priced(world, metered=True)
    job = world.submit(budget=CREDITS, attempts_max=9)
    for charge, charged in ((30, 30), (40, 70)):
        [given] = lease(world)
        assert used(world, job) == (120, 50, charged - charge)
        fails(world, given, charge)
        assert used(world, job) == (120, 0, charged)
    [given] = lease(world)
    reports(world, given, "failed", 1, error=BROKEN)
    assert world.record(job).state == "failed"
    assert used(world, job) == (120, 0, 71)
    assert (
        "Not tried again: an attempt may cost 50 credits, and 71 of the job's budget of 120 credits are used."
    ) in why_it_failed(world, job)


def test_an_attempt_that_was_lost_is_decided_about_in_the_same_way(world: World) -> None:
    priced(world)
    job = world.submit(budget=CREDITS)
    lease(world)
    price(world, 121)
    world.crash()
    assert world.record(job).state == "failed"
    assert rule_of(world, "job.failed") == "retry.backoff@2"
    world.check()


def test_a_job_whose_kind_costs_nothing_is_decided_about_without_its_budget(world: World) -> None:
    priced(world)
    job = world.submit("other", budget=CREDITS)
    [given] = lease(world)
    world.settle(given, "failed", error=BROKEN)
    assert rule_of(world, "job.retried") == "retry.backoff@1"
    assert world.record(job).state == "scheduled"
    world.check()


def test_a_charge_in_another_unit_is_none_of_the_budget(world: World) -> None:
    priced(world, metered=True)
    job = world.submit(budget=CREDITS)
    [given] = lease(world)
    opened(world, "tenant:default", unit="tokens")
    world.ask(PriceKind(kind="work", unit="tokens", amount=500, metered=True, reason="a test"))
    reports(world, given, "failed", 50, error=BROKEN)
    assert world.record(job).state == "scheduled"
    assert used(world, job) == (120, 0, 50)
    world.check()


# Where it is to start ----------------------------------------------------------------------------------------------


def test_a_job_of_which_an_attempt_has_become_too_dear_is_not_started(world: World) -> None:
    priced(world)
    dear, behind = world.submit(budget=CREDITS), world.submit()
    price(world, 121)
    session = world.register()
    assert [one.id for one in world.lease(session)] == [behind]
    record = world.record(dear)
    assert (record.state, record.attempt, record.error and record.error.type) == ("failed", 0, "BudgetSpent")
    assert used(world, dear) == (120, 0, 0)
    assert why_it_failed(world, dear).startswith(
        "It failed for good with BudgetSpent (fatal). Not started: an attempt may cost 121 credits,"
        " and 0 of the job's budget of 120 credits are used."
    )
    # It had no fence, and its worker no empty lease.
    assert world.types().count("worker.leased") == 1


def test_it_holds_up_nobody_in_its_partition_or_beside_it(world: World) -> None:
    priced(world)
    dear = [world.submit(budget=CREDITS, partition="p"), world.submit(budget=CREDITS)]
    others = [world.submit(partition="p"), world.submit(partition="q"), world.submit()]
    price(world, 121)
    assert sorted(one.id for one in lease(world, 5)) == sorted(others)
    assert {world.record(job).state for job in dear} == {"failed"}
    world.check()


def test_what_was_to_run_after_it_moves_on_in_the_same_commit(world: World) -> None:
    priced(world)
    dear = world.submit(budget=CREDITS)
    after, anyway = world.submit(after=[dear]), world.submit("other", after=[dear], after_failure="run")
    price(world, 121)
    assert [one.id for one in lease(world)] == [anyway]
    assert world.record(after).state == "cancelled"
    world.check()


def test_what_attempts_have_cost_that_gave_their_slots_back_counts(world: World) -> None:
    priced(world, metered=True)
    job = world.submit(budget=CREDITS)
    for _ in range(2):
        [given] = lease(world)
        reports(world, given, "released", 40)
    assert world.record(job).state == "queued"
    assert lease(world) == []
    assert world.record(job).state == "failed"
    assert used(world, job) == (120, 0, 80)


def test_a_cheaper_price_lets_it_start(world: World) -> None:
    priced(world)
    job = world.submit(budget=CREDITS)
    price(world, 121)
    price(world, 120)
    assert [one.id for one in lease(world)] == [job]
    world.check()


def test_a_job_is_charged_before_its_next_attempt_of_the_same_batch_is_looked_at(world: World) -> None:
    priced(world, metered=True)
    job = world.submit(budget={"credits": 99})
    [given] = lease(world)
    waiting = world.ask_lease(world.register())
    reports(world, given, "released", 50)
    assert not waiting.given
    assert world.record(job).state == "failed"
    assert used(world, job) == (99, 0, 50)


def test_a_budget_holds_for_a_job_that_comes_in_with_the_batch_in_which_it_would_start(world: World) -> None:
    priced(world)
    waiting = world.ask_lease(world.register())
    command = PriceKind(kind="work", unit="credits", amount=121, metered=False, reason="a test")
    world.batch(world.submission(budget=CREDITS), command)
    assert not waiting.given
    assert rule_of(world, "job.failed") == "job.budget@1"


def test_it_holds_for_the_next_engine(tmp_path: Path) -> None:
    world = World(tmp_path / "sheratan.db")
    priced(world, metered=True)
    job = world.submit(budget=CREDITS, attempts_max=9)
    fails(world, lease(world)[0], 50)
    world.restart()
    fails(world, lease(world)[0], 50)
    assert world.record(job).state == "failed"
    assert used(world, job) == (120, 0, 100)
    world.close()


def test_a_job_that_was_cancelled_meanwhile_stays_so(world: World) -> None:
    priced(world)
    job = world.submit(budget=CREDITS)
    price(world, 121)
    session = world.register()
    batch = world.decider.decide([Pending(LeaseJobs(session=session, slots=1), PERSON, Answer())])
    world.decider.committed(batch)
    assert batch.unit.is_empty
    world.ask(Cancel(id=job, reason="a test"))
    assert world.record(job).state == "cancelled"


def test_a_node_has_a_budget_for_each_of_its_jobs_and_fails_with_it(world: World) -> None:
    priced(world, 121)
    run = world.start_run(wf(node("a", budget=CREDITS), node("b", after=["a"])))
    lease(world)
    assert world.last("job.submitted").data["budget"] == [["credits", 120]]
    assert world.run_record(run).state == "failed"
    assert rule_of(world, "job.failed") == "job.budget@1"


def test_a_compensation_and_the_job_of_a_schedule_have_budgets_too(world: World) -> None:
    opened(world, "tenant:default")
    world.start_run(wf(node("a", compensate={"kind": "work", "budget": CREDITS}), node("b", after=["a"])))
    [given] = lease(world)
    world.settle(given)
    [given] = lease(world)
    world.settle(given, "failed", error=FATAL)
    assert world.last("job.submitted").data["budget"] == [["credits", 120]]
    submission = Submission(kind="work", options=Options(budget=CREDITS))
    world.schedule(submission=submission, every_seconds=60.0)
    world.tick(61)
    assert world.last("job.submitted").data["budget"] == [["credits", 120]]


def test_a_running_job_hears_of_a_refusal(world: World) -> None:
    priced(world, 121)
    world.submit()
    [given] = lease(world)
    child = Submission(kind="work", options=Options(budget=CREDITS))
    with pytest.raises(InvalidInput, match="may cost 121 credits"):
        world.spawn(given, 1, child)


def test_a_gate_lets_no_job_in_that_could_not_start(world: World) -> None:
    priced(world, 121)
    [job] = world.submission(budget=CREDITS).jobs
    gate = NewGate(what="debounce", key="0a" * 32, period_us=1, longest_us=0, jobs=0)
    with pytest.raises(InvalidInput, match="may cost 121 credits"):
        world.ask(SubmitGated(job=job, gate=gate))


def test_a_budget_stays_with_its_charges_when_the_job_is_pruned(world: World) -> None:
    priced(world)
    world.submit(budget=CREDITS)
    [given] = lease(world)
    world.settle(given)
    world.ask(KeepJobs(kind="", keep_us=1, reason="a test"))
    world.tick(100)
    assert world.store.jobs([1]) == []
    assert [tuple(row) for row in world.store.job_budgets([1])] == [(1, "credits", 120)]


# By people ---------------------------------------------------------------------------------------------------------


def test_a_job_that_is_run_again_has_its_budget_anew(world: World) -> None:
    priced(world, metered=True)
    job = world.submit(budget=CREDITS)
    [given] = lease(world)
    reports(world, given, "failed", 50, error=FATAL)
    again = world.ask(Replay(id=job, edited=None, poison=False, reason=""))
    assert used(world, again) == (120, 0, 0)


def test_a_job_that_is_run_again_by_a_person_is_refused_where_it_could_not_start(world: World) -> None:
    job = ended(world)
    for command in (RetryJob(id=job, poison=False), Replay(id=job, edited=None, poison=False, reason="")):
        with pytest.raises(InvalidInput, match="may cost 121 credits"):
            world.ask(command)
    assert world.record(job).budget[0].amount == 120
    edited = prepare_edit(world.store, job, Edit(budget={"credits": 121}), world.registry, world.limits)
    again = world.ask(Replay(id=job, edited=edited, poison=False, reason=""))
    assert world.last("job.replayed").data["edited"] == {"budget": [[["credits", 120]], [["credits", 121]]]}
    assert used(world, again) == (121, 0, 0)


def test_a_bulk_operation_goes_on_with_the_others(world: World) -> None:
    ended(world)
    world.ask(StartBulk(action="replay", filter=JobFilter(), limit=None, poison=False, reason="a test"))
    assert world.types().count("job.replayed") == 1
    assert lease(world) == []
    assert world.types().count("job.failed") == 2


def ended(world: World) -> str:
    """A job that has failed, and could not be started any more; nobody is on duty."""
    priced(world)
    job = world.submit(budget=CREDITS)
    price(world, 121)
    session = world.register()
    world.ask_lease(session)
    world.ask(EndSession(session=session))
    assert world.record(job).state == "failed"
    return job


@pytest.mark.parametrize(("edit", "wanted"), [(Edit(priority=1), [120]), (Edit(budget={}), [])])
def test_an_edit_takes_a_budget_away_or_leaves_it(world: World, edit: Edit, wanted: list[int]) -> None:
    job = ended(world)
    price(world, None)
    edited = prepare_edit(world.store, job, edit, world.registry, world.limits)
    again = world.ask(Replay(id=job, edited=edited, poison=False, reason=""))
    assert [one.amount for one in world.record(again).budget] == wanted
