"""Jobs whose code has changed under them: blocked, and released to other code or by a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from sheratan.contracts.errors import Conflict, InvalidInput, NotFound
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.journal import Entry
from sheratan.contracts.worker import Assignment, Registration, Report
from sheratan.engine import code as engine_code
from sheratan.engine import commands
from sheratan.engine.prepare import prepare_reports
from sheratan.engine.status import Facts, status
from sheratan.engine.verify import Verifier
from sheratan.store.rows import Blocked, BlockingCode, Ready
from tests.engine.world import BIG, PERSON, Answer, World


def begin(world: World, session: int) -> tuple[str, Assignment]:
    """A job that runs and has recorded a step."""
    job = world.submit()
    [given] = world.lease(session)
    assert world.steps(given, (1, "charge", 7)) == [True]
    return job, given


def block(world: World, code: str = "old", name: str = "w") -> tuple[str, int]:
    """A job that is blocked by some code, and the session of the worker that has it."""
    session = world.register(name, code=code)
    job, given = begin(world, session)
    assert world.change(given)
    return job, session


def blocked_entry(world: World) -> Entry:
    return world.last("job.blocked")


def test_a_job_whose_code_has_changed_is_blocked_with_the_difference(world: World) -> None:
    job, session = block(world)
    record = world.record(job)
    assert (record.state, record.blocked_reason, record.attempt, record.steps) == (
        "blocked", "code_changed", 0, 1,
    )  # fmt: skip
    assert record.difference is not None
    assert (record.difference.what, record.difference.recorded, record.difference.asked) == (
        "other", "charge", ("pay",),
    )  # fmt: skip
    assert record.error is None
    assert record.waiting_for == "other code of its handler: its steps are not those that are recorded"
    assert session in world.state.sessions
    assert world.state.held == {}
    assert blocked_entry(world).data == {
        "attempt": 1,
        "code": "old",
        "difference": {"what": "other", "step": 1, "recorded": "charge", "occurrence": 1, "asked": ["pay"]},
    }
    assert not world.store.is_dead_letter(1)


def test_it_is_told_in_words(world: World) -> None:
    job, _ = block(world)
    assert world.why(job)[-2:] == ["step.succeeded", "job.blocked"]
    told = world.told(job)[-1]
    assert "step 1 is recorded as charge, and the handler asks for pay instead" in told
    facts = Facts(ready=True, problems=[], version="t", pid=1, data="d", workers=[], limits=None)
    found = status(world.store, facts)
    assert found.code_changed == 1
    assert "0 wait for other jobs, 1 wait for other code" in found.doing


def test_no_attempt_is_consumed(world: World) -> None:
    job, session = block(world)
    world.ask(commands.Unblock(id=job, reason=""))
    [given] = world.lease(session)
    assert (given.attempt, given.steps) == (1, 1)


def test_the_code_that_blocked_it_does_not_get_it_again_by_itself(world: World) -> None:
    job, session = block(world)
    world.register("another", code="old")
    assert world.state_of(job) == "blocked"
    world.ask(commands.EndSession(session=session))
    world.tick(60)
    assert world.state_of(job) == "blocked"


def test_it_goes_on_when_only_other_code_is_on_duty(world: World) -> None:
    job, session = block(world)
    world.register("next", code="new")
    assert world.state_of(job) == "blocked"
    world.ask(commands.EndSession(session=session))
    assert isinstance(world.location(job), Ready)
    entry = world.last("job.unblocked")
    assert entry.decision is not None
    assert entry.decision["input"] == {"asked": False, "blocked_by": ["old"], "on_duty": ["new"]}
    assert entry.actor == "engine"


def test_it_goes_on_when_the_next_worker_comes_after_the_last_one_has_gone(world: World) -> None:
    job, session = block(world)
    world.ask(commands.EndSession(session=session))
    world.register("next", ("other",), code="new")
    assert world.state_of(job) == "blocked"
    world.register("next", code="new")
    assert world.state_of(job) == "queued"


@pytest.mark.parametrize("is_looking", [False, True])
def test_it_goes_on_when_its_worker_goes_in_the_batch_in_which_it_is_blocked(
    world: World, is_looking: bool
) -> None:
    old = world.register("w", ("work",), code="old")
    job, given = begin(world, old)
    world.register("next", code="new")
    if is_looking:
        # Somebody has come in the batch before, so that a look is due in this one.
        world.state.looks["work"] = ("work", 1, 0)
    change = world.change_command(given)
    assert all(answer.given for answer in world.batch(change, commands.EndSession(session=old)))
    assert world.state_of(job) == "queued"


def test_all_code_that_has_blocked_it_is_remembered(world: World) -> None:
    job, first = block(world, "one")
    second = world.register("second", code="two")
    world.ask(commands.EndSession(session=first))
    [given] = world.lease(second)
    assert world.change(given)
    assert world.store.blocking_codes() == [BlockingCode(1, "one"), BlockingCode(1, "two")]
    world.ask(commands.EndSession(session=second))
    world.register("first", code="one")
    assert world.state_of(job) == "blocked"


def test_code_that_is_not_known_is_no_other_code(world: World) -> None:
    job, session = block(world, "")
    world.ask(commands.EndSession(session=session))
    world.register("next")
    assert world.state_of(job) == "blocked"


def test_it_is_forgotten_once_the_job_has_ended(world: World) -> None:
    job, session = block(world)
    world.ask(commands.EndSession(session=session))
    [given] = world.lease(world.register("next", code="new"))
    assert world.settle(given)
    assert world.state_of(job) == "succeeded"
    assert world.store.blocking_codes() == []
    assert world.state.blocking == {}


def test_a_blocked_job_is_cancelled_as_ever(world: World) -> None:
    job, _ = block(world)
    assert world.cancel(job) == "cancelled"
    assert world.record(job).attempt == 0
    assert world.store.blocking_codes() == []


def test_a_job_that_was_to_be_cancelled_is_not_blocked(world: World) -> None:
    job, given = begin(world, world.register(code="old"))
    assert world.cancel(job) == "requested"
    assert world.change(given)
    assert world.state_of(job) == "cancelled"


def test_a_stale_report_blocks_nothing(world: World) -> None:
    session = world.register(code="old")
    job, given = begin(world, session)
    assert world.fail(given, after=0.0)
    world.tick(1)
    assert not world.change(given)
    assert world.state_of(job) == "queued"


@pytest.mark.parametrize("where", ["another", "after", "ended"])
def test_only_a_job_that_is_blocked_by_its_code_is_unblocked(world: World, where: str) -> None:
    job = world.submit()
    if where == "after":
        job = world.submit(after=(job,))
    elif where == "ended":
        world.run(world.register())
    with pytest.raises(Conflict, match="not blocked because of its code") as refused:
        world.ask(commands.Unblock(id=job, reason=""))
    assert refused.value.field == "id"


def test_a_job_that_is_not_there_is_not_unblocked(world: World) -> None:
    with pytest.raises(NotFound):
        world.ask(commands.Unblock(id="job_00000000000000000000000000000000", reason=""))


def test_a_person_may_let_it_try_the_same_code_again(world: World) -> None:
    job, session = block(world)
    entry = world.ask(commands.Unblock(id=job, reason="a look"))
    assert world.last("job.unblocked").seq == entry
    assert world.last("job.unblocked").data == {"attempt": 1, "reason": "a look"}
    [given] = world.lease(session)
    assert world.change(given)
    assert world.state_of(job) == "blocked"
    assert world.store.blocking_codes() == [BlockingCode(1, "old")]


def test_a_report_without_a_difference_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        prepare_reports([Report(number=1, fence=1, outcome="code_changed")], world.limits)
    assert refused.value.field == "difference"


def test_many_jobs_go_on_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_code, "LOOKED_AT_ONCE", 2)
    session = world.register(code="old")
    jobs = [world.submit() for _ in range(5)]
    for given in world.lease(session, 5):
        assert world.change(given)
    world.ask(commands.EndSession(session=session))
    world.register("next", code="new")
    assert {world.state_of(job) for job in jobs} == {"queued"}
    assert world.state.looks == {}


def test_who_goes_meanwhile_has_all_looked_at_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_code, "LOOKED_AT_ONCE", 1)
    old = world.register("old", code="old")
    jobs = [world.submit() for _ in range(3)]
    for given in world.lease(old, 3):
        assert world.change(given)
    described = (KindDescription(name="work", code="new"),)
    registration = Registration(name="new", kinds=described, slots=1)
    for command in (
        commands.RegisterWorker(registration=registration, local=True),
        None,
        commands.EndSession(session=old),
    ):
        asked = [] if command is None else [commands.Pending(command, PERSON, Answer())]
        world._commit(world.decider.decide(asked))
    world.tick()
    assert [world.state_of(job) for job in jobs] == ["queued"] * 3


def test_a_reason_that_holds_a_secret_is_refused(world: World) -> None:
    job, _ = block(world)
    with pytest.raises(InvalidInput) as refused:
        world.ask(commands.Unblock(id=job, reason="AKIA" + "ABCDEFGHIJKLMNOP"))
    assert refused.value.field == "reason"
    assert world.state_of(job) == "blocked"


def test_a_job_that_is_cancelled_in_the_batch_that_would_let_it_go_on_stays_so(world: World) -> None:
    job, session = block(world)
    world.ask(commands.EndSession(session=session))
    world.decider.state.looks["work"] = ("work", 1, 0)
    assert world.batch(commands.Cancel(id=job, reason=""))[0].value == "cancelled"
    assert world.state_of(job) == "cancelled"


def test_after_a_crash_it_is_known_what_has_blocked_a_job(tmp_path: Path) -> None:
    world = World(tmp_path / "a.db")
    job, _ = block(world)
    world.crash()
    assert world.state.blocking == {1: {"old"}}
    assert isinstance(world.location(job), Blocked)
    world.register("again", code="old")
    assert world.state_of(job) == "blocked"
    world.crash()
    world.register("next", code="new")
    assert world.state_of(job) == "queued"
    world.check()
    # Sessions end with their engine, though no entry says so of each.
    assert Verifier(world.store).step() == []
    world.close()


def test_a_failed_commit_does_not_forget_whom_to_let_go_on(tmp_path: Path) -> None:
    world = World(tmp_path / "a.db")
    job, session = block(world)
    world.register("next", code="new")
    gone = commands.Pending(commands.EndSession(session=session), PERSON, Answer())
    world._commit(world.decider.decide([gone]))
    assert world.state_of(job) == "blocked"
    world.fill_disk()
    big = world.submission(value=BIG)
    assert world.batch(big)[0].error is not None
    world.free_disk()
    world.tick(2)
    assert world.state_of(job) == "queued"
    world.check()
    world.close()


def test_jobs_that_wait_for_others_are_not_looked_at(world: World) -> None:
    job, session = block(world)
    parent = world.submit()
    child = world.submit(after=(parent,))
    world.ask(commands.EndSession(session=session))
    world.register("next", code="new")
    assert (world.state_of(job), world.state_of(child)) == ("queued", "blocked")
