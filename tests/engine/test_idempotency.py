"""One key, one job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.errors import IdempotencyConflict, InvalidInput, TooLarge
from sheratan.contracts.jobs import Options, Submission
from sheratan.contracts.limits import Limits
from tests.engine.world import World


def test_the_same_request_under_the_same_key_is_the_same_job(world: World) -> None:
    [first] = world.ask(world.submission(value=[1], key="k"))
    [again] = world.ask(world.submission(value=[1], key="k"))
    assert (first[1], again) == (False, (first[0], True))
    assert len(list(world.store.job_numbers())) == 1


def test_a_key_holds_across_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path / "w.db")
    job = world.submit(value=1, key="k")
    world.crash()
    assert world.ask(world.submission(value=1, key="k")) == [(job, True)]
    world.check()
    world.close()


def test_a_key_holds_after_the_job_has_ended_and_when_the_queue_is_full() -> None:
    world = World(limits=Limits(queue_jobs_max=1))
    job = world.submit(key="k")
    world.run(world.register())
    world.submit()
    assert world.ask(world.submission(key="k")) == [(job, True)]
    world.check()


def test_a_stampede_in_one_batch_makes_one_job(world: World) -> None:
    answers = world.batch(*[world.submission(value=1, key="k")] * 100)
    ids = {answer.value[0][0] for answer in answers}
    assert len(ids) == 1
    assert [answer.value[0][1] for answer in answers] == [False] + [True] * 99


def test_keys_that_were_lost_with_their_batch_are_free_again(world: World) -> None:
    world.crash(losing=[world.submission(value=1, key="k")])
    [(_, existing)] = world.ask(world.submission(value=2, key="k"))
    assert not existing


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("input", {"value": 2}),
        ("kind", {"kind": "other"}),
        ("queue", {"queue": "q"}),
        ("priority", {"priority": 1}),
        ("attempts_max", {"attempts_max": 7}),
        ("run_timeout_us", {"run_timeout_seconds": 7}),
        ("delay", {"delay_seconds": 7}),
        ("after_failure", {"after_failure": "run"}),
        ("queue_timeout_us", {"queue_timeout_seconds": 7}),
        ("backoff_base_us", {"backoff_base_seconds": 7}),
        ("backoff_cap_us", {"backoff_max_seconds": 7}),
    ],
)
def test_another_request_under_the_same_key_is_refused_and_names_the_field(
    world: World, field: str, changed: dict[str, Any]
) -> None:
    job = world.submit(value=1, key="k")
    before = world.store.shard()
    asked: dict[str, Any] = {"value": 1, "key": "k"} | changed
    with pytest.raises(IdempotencyConflict) as refused:
        world.ask(world.submission(**asked))
    assert refused.value.field is not None
    assert refused.value.field.startswith(field)
    assert refused.value.extra["job"] == job
    assert world.store.shard() == before


def test_other_parents_under_the_same_key_are_refused_by_field(world: World) -> None:
    one, two = world.submit(), world.submit()
    world.submit(key="k", after=[one])
    with pytest.raises(IdempotencyConflict) as refused:
        world.submit(key="k", after=[two])
    assert refused.value.field == "after"


def test_a_large_input_is_compared_by_its_digest(world: World) -> None:
    job = world.submit(value="x" * 10_000, key="k")
    assert world.submit(value="x" * 10_000, key="k") == job
    with pytest.raises(IdempotencyConflict) as refused:
        world.submit(value="y" * 10_000, key="k")
    assert refused.value.field == "input"


def test_a_key_that_stands_for_two_jobs_of_one_call_is_refused(world: World) -> None:
    one = Submission(kind="work", input=1, options=Options(key="k"))
    with pytest.raises(InvalidInput, match="two jobs") as refused:
        world.submissions(one, one)
    assert refused.value.field == "jobs/1/key"


def test_a_conflict_in_one_job_of_a_call_takes_none_of_them_in(world: World) -> None:
    world.submit(value=1, key="k")
    fresh = Submission(kind="work", input=2)
    clash = Submission(kind="work", input=2, options=Options(key="k"))
    with pytest.raises(IdempotencyConflict):
        world.ask(world.submissions(fresh, clash))
    assert len(list(world.store.job_numbers())) == 1


def test_a_call_may_mix_known_and_new_jobs(world: World) -> None:
    known = Submission(kind="work", options=Options(key="k"))
    world.ask(world.submissions(known))
    receipts = world.ask(world.submissions(Submission(kind="work"), known))
    assert [existing for _, existing in receipts] == [False, True]


def test_a_key_of_too_many_characters_is_refused_with_the_name_of_the_limit(world: World) -> None:
    world.submit(key="k" * 256)
    with pytest.raises(TooLarge, match=r"limits\.key_length_max"):
        world.submit(key="k" * 257)


def test_a_key_stands_in_the_journal_as_a_digest_only(world: World) -> None:
    world.submit(key="customer-4711@example.org")
    assert all(b"4711" not in body for _, _, body in world.store.pages())
