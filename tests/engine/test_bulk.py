"""Bulk operations: every job that a filter means, in pieces, each with its own entry, and through crashes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.api import GetBulk, PreviewBulk
from sheratan.contracts.bulk import BulkAction, BulkRecord
from sheratan.contracts.errors import InvalidInput, LimitReached, NotFound
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.engine.commands import Cancel, Discard, StartBulk, StartDraining
from sheratan.engine.explain import story
from sheratan.engine.search import bulk_preview, bulk_record
from sheratan.engine.verify import verify
from tests.engine.test_dead_letters import dead, failed, poisoned
from tests.engine.world import PERSON, World

OTHER = Principal(actor="local:other", auth="peer", on_behalf_of="local:other")


@pytest.fixture
def world() -> Iterator[World]:
    made = World(limits=Limits(bulk_jobs_max=3, bulk_look_jobs_max=5))
    yield made
    made.check()
    assert verify(made.store).problems == []


def bulk(world: World, action: BulkAction, by: Principal = PERSON, **more: Any) -> BulkRecord:
    wanted = {name: more.pop(name) for name in ("limit", "poison", "reason") if name in more}
    entry = world.ask(StartBulk(action=action, filter=JobFilter(**more), **wanted), by=by)
    return found(world, entry)


def found(world: World, entry: int) -> BulkRecord:
    return bulk_record(world.store, GetBulk(id=f"bulk:{entry}"))


def entries_of(world: World, entry_type: str) -> list[str]:
    return [entry.subject for entry in world.entries() if entry.type == entry_type]


def test_a_bulk_cancel_cancels_what_the_filter_means_oldest_first(world: World) -> None:
    wanted = [world.submit(queue="a", delay_seconds=float(turn % 2)) for turn in range(11)]
    other = world.submit(queue="b")
    done = bulk(world, "cancel", OTHER, queue="a", reason="a mistake")
    assert (done.state, done.jobs, done.action, done.filter) == ("ended", 11, "cancel", JobFilter(queue="a"))
    assert {world.state_of(job) for job in wanted} == {"cancelled"}
    assert world.state_of(other) == "queued"
    assert entries_of(world, "job.cancelled") == wanted
    started = world.last("bulk.started")
    assert started.actor == "local:other"
    for entry in world.entries():
        if entry.type == "job.cancelled":
            assert entry.cause == started.seq
            assert (entry.actor, entry.data["reason"]) == ("local:other", "a mistake")
            assert entry.decision is not None
    assert f"as part of bulk:{started.seq}" in story(world.store, wanted[0]).lines[-1].text
    told = story(world.store, f"bulk:{started.seq}")
    assert [line.type for line in told.lines] == ["bulk.started", "bulk.ended"]
    assert told.state == "over"


def test_it_goes_in_pieces_between_which_others_have_their_turn(world: World) -> None:
    jobs = [world.submit() for _ in range(8)]
    world.decider.committed(first := world.decider.decide([]))
    assert not first.unit.entries
    sizes = []
    entry = None
    for _ in range(20):
        before = len(entries_of(world, "job.cancelled"))
        if entry is None:
            entry = start_only(world, "cancel")
        else:
            world._commit(world.decider.decide([]))
        sizes.append(len(entries_of(world, "job.cancelled")) - before)
        if not world.state.bulks:
            break
    assert sizes == [0, 3, 3, 2]
    assert {world.state_of(job) for job in jobs} == {"cancelled"}


def start_only(world: World, action: BulkAction, **wanted: Any) -> int:
    """Start one and do none of its pieces."""
    from sheratan.engine.commands import Pending  # noqa: PLC0415 - beside the world's own way
    from tests.engine.world import Answer  # noqa: PLC0415

    answer = Answer()
    batch = world.decider.decide(
        [Pending(StartBulk(action=action, filter=JobFilter(**wanted)), PERSON, answer)]
    )
    world._commit(batch)
    return int(answer.value)


def test_jobs_that_come_in_later_are_not_meant(world: World) -> None:
    old = [world.submit() for _ in range(7)]
    start_only(world, "cancel")
    late = world.submit()
    assert {world.state_of(job) for job in old} == {"cancelled"}
    assert world.state_of(late) == "queued"


@pytest.mark.parametrize("pieces", range(5))
def test_a_crash_in_the_middle_loses_and_repeats_nothing(tmp_path: Path, pieces: int) -> None:
    world = World(tmp_path / "a.db", limits=Limits(bulk_jobs_max=2, bulk_look_jobs_max=3))
    jobs = [failed(world, priority=9 - turn) for turn in range(9)]
    entry = start_only(world, "replay", error_class="fatal")
    for _ in range(pieces):
        world._commit(world.decider.decide([]))
    world.decider.decide([])
    world.crash()
    assert found(world, entry).state == "ended"
    assert found(world, entry).jobs == 9
    assert entries_of(world, "job.replayed") == jobs
    assert dead(world) == []
    world.check()
    assert verify(world.store).problems == []


def test_a_failed_commit_takes_back_a_piece_and_it_is_done_again(tmp_path: Path) -> None:
    world = World(tmp_path / "a.db", limits=Limits(bulk_jobs_max=2))
    jobs = [failed(world, priority=9 - turn) for turn in range(5)]
    start_only(world, "discard")
    world.fill_disk()
    world.batch(world.submission(value="x" * 50_000))
    world.free_disk()
    world.tick(2)
    assert entries_of(world, "job.discarded") == jobs
    world.check()
    assert verify(world.store).problems == []


def test_running_jobs_are_asked_to_stop_once(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.cancel(job)
    other = world.submit()
    done = bulk(world, "cancel")
    assert done.jobs == 1
    assert world.state_of(other) == "cancelled"
    assert world.types(job).count("job.cancel_requested") == 1
    world.settle(given, "cancelled")


def test_what_follows_from_a_cancel_is_not_counted_as_done(world: World) -> None:
    parent = world.submit()
    child = world.submit(after=(parent,))
    assert bulk(world, "cancel").jobs == 1
    assert world.state_of(child) == "cancelled"


def test_a_limit_takes_the_oldest(world: World) -> None:
    jobs = [failed(world, priority=9 - turn) for turn in range(6)]
    done = bulk(world, "discard", limit=4)
    assert (done.state, done.jobs, done.limit) == ("ended", 4, 4)
    assert dead(world) == jobs[:3:-1]


def test_a_retry_repeats_ended_jobs_and_a_replay_only_dead_letters(world: World) -> None:
    session = world.register()
    world.submit(tags=("eu",))
    world.run(session)
    lost = failed(world, tags=("eu",))
    gone = failed(world, tags=("eu",))
    world.ask(Discard(id=gone, reason=""))
    assert bulk(world, "replay", tag="eu").jobs == 1
    assert entries_of(world, "job.replayed") == [lost]
    assert bulk(world, "retry", tag="eu").jobs == 3


def test_poison_is_left_out_without_a_word(world: World) -> None:
    job, plain = poisoned(world), failed(world)
    assert bulk_preview(world.store, PreviewBulk(action="replay")).sample == [plain]
    assert bulk(world, "replay").jobs == 1
    assert dead(world) == [job]
    assert bulk(world, "retry", state="failed").jobs == 1
    assert bulk(world, "replay", poison=True).jobs == 1
    assert dead(world) == []


def test_poison_may_be_discarded(world: World) -> None:
    poisoned(world)
    assert bulk(world, "discard").jobs == 1
    assert dead(world) == []


def test_a_queue_that_is_full_stops_it_and_the_answer_says_how_far_it_came() -> None:
    world = World(limits=Limits(queue_jobs_max=3))
    for turn in range(5):
        failed(world, priority=9 - turn)
    done = bulk(world, "replay")
    assert (done.state, done.jobs) == ("stopped", 3)
    assert done.stopped_because is not None
    assert "queue_jobs_max" in done.stopped_because
    assert len(dead(world)) == 2
    assert entries_of(world, "job.refused") == ["queue:default"]
    world.check()
    assert verify(world.store).problems == []


def test_while_the_engine_drains_it_stands_still(world: World) -> None:
    for turn in range(5):
        failed(world, priority=9 - turn)
    entry = start_only(world, "replay")
    world.ask(StartDraining(reason="maintenance"))
    assert world.decider.next_wake_us() != 0
    kept = found(world, entry)
    world.tick(5)
    assert found(world, entry) == kept
    assert kept.state == "running"
    world.restart()
    assert found(world, entry).jobs == 5


def test_several_take_turns(world: World) -> None:
    for turn in range(6):
        failed(world, queue="ab"[turn % 2], priority=9 - turn)
    first, second = start_only(world, "discard", queue="a"), start_only(world, "discard", queue="b")
    world.tick()
    assert (found(world, first).jobs, found(world, second).jobs) == (3, 3)


def test_only_so_many_go_on_at_once() -> None:
    world = World(limits=Limits(bulk_open_max=1, bulk_jobs_max=1))
    failed(world)
    failed(world, priority=0)
    start_only(world, "discard")
    [answer] = world.batch(StartBulk(action="discard", filter=JobFilter()))
    assert isinstance(answer.error, LimitReached)
    assert dead(world) == []


def test_a_job_that_others_deal_with_in_the_same_batch_is_passed_over(world: World) -> None:
    first, second = failed(world), failed(world)
    start_only(world, "discard")
    world.batch(Discard(id=first, reason="by hand"))
    assert entries_of(world, "job.discarded") == [first, second]
    job = world.submit()
    start_only(world, "cancel")
    world.batch(Cancel(id=job, reason="by hand"))
    assert entries_of(world, "job.cancelled") == [job]


@pytest.mark.parametrize("given", [{"reason": "ghp_" + "a1B2" * 9}, {"text": "ghp_" + "a1B2" * 9}])
def test_a_secret_is_refused_wherever_it_stands(world: World, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="written down stays"):
        bulk(world, "cancel", **given)


def test_a_preview_changes_nothing_and_counts_what_would_be_done(world: World) -> None:
    jobs = [world.submit(tags=("eu",)) for _ in range(12)]
    before = world.entries()
    preview = bulk_preview(world.store, PreviewBulk(action="cancel", filter=JobFilter(tag="eu")))
    assert (preview.jobs, preview.sample, preview.is_more) == (12, jobs[:10], False)
    short = bulk_preview(world.store, PreviewBulk(action="cancel", limit=5))
    assert (short.jobs, short.sample, short.is_more) == (5, jobs[:5], True)
    assert world.entries() == before


def test_a_preview_refuses_a_filter_that_can_mean_no_job(world: World) -> None:
    wrong = JobFilter(created_from_us=2, created_until_us=1)
    with pytest.raises(InvalidInput, match="the interval is empty"):
        bulk_preview(world.store, PreviewBulk(action="cancel", filter=wrong))


@pytest.mark.parametrize("name", ["bulk:0", "bulk:x", "bulk:", "queue:1", "bulk:" + "9" * 30])
def test_nobody_knows_a_bulk_operation_that_never_was(world: World, name: str) -> None:
    with pytest.raises(NotFound):
        bulk_record(world.store, GetBulk(id=name))
    with pytest.raises(NotFound):
        story(world.store, name)
