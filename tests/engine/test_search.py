"""The search for jobs finds what a look at every job finds, in pages that new jobs do not disturb."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest

from sheratan.contracts.api import ListJobs
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.ids import number_of
from sheratan.contracts.jobs import ErrorClass, JobError, JobRecord, JobState
from sheratan.contracts.worker import Wait
from sheratan.engine.search import list_records
from sheratan.store.port import Search, Standing
from tests.engine.world import SECOND, World

CLASSES: tuple[ErrorClass, ...] = ("fatal", "bug", "retryable")
TEXTS = (
    "the disk is full",
    "Connection reset by peer",
    'a "quoted" NEAR(thing) -x* AND',
    "über alles",
    "...",
)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Jobs in every state, of two kinds and three queues, with tags, keys and errors."""
    made, draw, partitions = World(), random.Random(5), random.Random(6)
    session = made.register(slots=1_000)
    for turn in range(300):
        made.clock.advance(draw.randrange(SECOND))
        options: dict[str, Any] = {
            "queue": draw.choice(("default", "side", "late")),
            "tags": tuple(draw.sample(("eu", "us", "nightly"), draw.randrange(3))),
            "attempts_max": 1,
            "partition": partitions.choice((None, "ada", "bob", "eve")),
        }
        if draw.random() < 0.1:
            options["key"] = f"key-{turn}"
        if draw.random() < 0.1:
            options["delay_seconds"] = 1_000.0
        job = made.submit(draw.choice(("work", "other")), **options)
        what = draw.choice(("leave", "fail", "fail", "run", "cancel", "block", "park"))
        if what == "cancel":
            made.cancel(job)
        elif what == "block":
            made.submit(after=(job,), partition="ada", attempts_max=1)
        elif what != "leave" and (given := made.lease(session)):
            end(made, draw, given[0], what)
    made.lease(session, 5)
    yield made
    made.check()


def end(made: World, draw: random.Random, given: Any, what: str) -> None:
    if what == "park":
        made.park(given, Wait(name="wait:sleep", occurrence=1, what="sleep", seconds=10_000))
    elif what == "run":
        made.settle(given)
    else:
        error = JobError(error_class=draw.choice(CLASSES), type="Boom", message=draw.choice(TEXTS))
        made.settle(given, "failed", error=error)


def every(world: World) -> list[JobRecord]:
    page = list_records(world.store, ListJobs(limit=500), world.limits)
    assert page.next_cursor is None
    return [world.record(one.id) for one in page.items]


def is_meant(job: JobRecord, wanted: JobFilter, keys: dict[str, str]) -> bool:
    """The letter of the documentation, by a look at the job alone."""
    end = (1 << 62) if wanted.finished_until_us is None else wanted.finished_until_us
    has_interval = wanted.finished_from_us is not None or wanted.finished_until_us is not None
    finished_us = -1 if job.finished_us is None else job.finished_us
    if has_interval and not (wanted.finished_from_us or 0) <= finished_us < end:
        return False
    until = (1 << 62) if wanted.created_until_us is None else wanted.created_until_us
    return (
        wanted.state in (None, job.state)
        and wanted.kind in (None, job.kind)
        and wanted.queue in (None, job.queue)
        and wanted.partition in (None, job.partition)
        and (wanted.tag is None or wanted.tag in job.tags)
        and (wanted.created_from_us or 0) <= job.created_us < until
        and (
            wanted.error_class is None
            or (job.error is not None and job.error.error_class == wanted.error_class)
        )
        and (wanted.text is None or is_found(job, wanted.text, keys))
    )


def is_found(job: JobRecord, text: str, keys: dict[str, str]) -> bool:
    if text == job.id or keys.get(job.id) == text or text.lower() in job.kind or text.lower() in job.queue:
        return True
    if job.error is None:
        return False
    told = words(f"{job.error.type} {job.error.message}")
    return all(any(one.startswith(word) for one in told) for word in words(text)) and bool(words(text))


def words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text.lower().replace("ü", "u")).split()


def keys_of(world: World) -> dict[str, str]:
    ids = {number_of(one.id): one.id for one in every(world)}
    return {ids[row.number]: row.key for row in world.store.key_rows()}


def numbers(jobs: list[JobRecord]) -> list[int]:
    return [number_of(job.id) for job in jobs]


def test_every_state_has_jobs(world: World) -> None:
    assert {job.state for job in every(world)} == set(get_args(JobState))


@pytest.mark.parametrize("seed", range(60))
def test_a_filter_finds_the_jobs_that_are_all_of_it(world: World, seed: int) -> None:
    draw, jobs = random.Random(seed), every(world)
    keys, some = keys_of(world), draw.choice(every(world))
    instants = sorted(draw.choice(jobs).created_us + draw.randrange(3) - 1 for _ in range(2))
    given: dict[str, Any] = {
        "state": draw.choice(get_args(JobState)),
        "kind": draw.choice(("work", "other", "none")),
        "queue": draw.choice(("default", "side", "late", "none")),
        "partition": draw.choice(("ada", "bob", "eve", "none")),
        "tag": draw.choice(("eu", "us", "nightly", "none")),
        "error_class": draw.choice(CLASSES),
        "created_from_us": instants[0],
        "created_until_us": instants[1] + 1,
        "finished_from_us": instants[0],
        "finished_until_us": instants[1] + 1,
        "text": draw.choice(
            (
                some.id,
                draw.choice(sorted(keys.values())),
                "or",
                "SIDE",
                "disk",
                "conn res",
                "boom full",
                "uber",
                "none",
            )
        ),
    }
    names = draw.sample(sorted(given), draw.choice((1, 1, 2, 2, 3)))
    wanted = msgspec.convert({name: given[name] for name in names}, JobFilter)
    meant = numbers([job for job in jobs if is_meant(job, wanted, keys)])
    assert world.store.find_jobs(Search(wanted, 1_000)) == meant
    assert world.store.find_jobs(Search(wanted, 3)) == meant[:3]
    first, last = sorted(draw.sample(range(1, 350), 2))
    within = sorted(number for number in meant if first < number < last)
    window = Search(wanted, 1_000, above=first, below=last, is_oldest_first=True, is_window=True)
    assert world.store.find_jobs(window) == within


@pytest.mark.parametrize("state", [None, "queued", "blocked", "waiting", "failed", "succeeded"])
def test_an_index_leads_to_the_jobs_of_a_partition(world: World, state: JobState | None) -> None:
    ran: list[tuple[str, Any]] = []
    connection = world.store._connection
    connection.exec_trace = lambda _, text, values: ran.append((text, values)) or True
    assert world.store.find_jobs(Search(JobFilter(partition="ada", state=state), 1_000))
    connection.exec_trace = None
    text, values = ran[-1]
    plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
    assert "INDEX job_by_partition (<expr>=?" in plan[0][3]
    assert not any("SCAN" in row[3] or "TEMP B-TREE" in row[3] for row in plan)


@pytest.mark.parametrize("standing", get_args(Standing))
@pytest.mark.parametrize("is_poison_left_out", [False, True])
def test_a_standing_is_a_criterion_like_others(
    world: World, standing: Standing, *, is_poison_left_out: bool
) -> None:
    jobs = every(world)
    ended = ("succeeded", "failed", "cancelled")
    meant = {
        "any": jobs,
        "open": [job for job in jobs if job.state not in ended],
        "ended": [job for job in jobs if job.state in ended],
        "dead": [job for job in jobs if job.state == "failed"],
    }[standing]
    search = Search(JobFilter(), 1_000, standing=standing, is_poison_left_out=is_poison_left_out)
    assert world.store.find_jobs(search) == numbers(meant)


@pytest.mark.parametrize(
    "text", ['"', '" OR "', "*", "a*b", "NEAR(", "type:Boom", "\0", "(", "-disk", "'; DROP TABLE job"]
)
def test_no_text_breaks_the_search(world: World, text: str) -> None:
    world.store.find_jobs(Search(JobFilter(text=text), 10))
    assert len(every(world)) > 300


def test_pages_go_on_where_they_ended_while_jobs_come_in() -> None:
    world = World()
    jobs = [world.submit(tags=("eu",)) for _ in range(7)]
    seen: list[str] = []
    cursor = None
    while True:
        page = list_records(world.store, ListJobs(tag="eu", limit=3, cursor=cursor), world.limits)
        seen += [one.id for one in page.items]
        world.submit(tags=("eu",))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == jobs[::-1]


def test_an_id_with_another_salt_finds_nothing(world: World) -> None:
    job = every(world)[0].id
    forged = job[:-1] + ("0" if job[-1] != "0" else "1")
    assert world.store.find_jobs(Search(JobFilter(text=forged), 10)) == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"created_from_us": 5, "created_until_us": 5}, "created_until_us"),
        ({"finished_from_us": 6, "finished_until_us": 5}, "finished_until_us"),
        ({"text": "\ud800"}, "filter"),
        ({"limit": 501}, "limit"),
    ],
)
def test_a_filter_that_means_nothing_is_refused_by_its_field(
    world: World, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        list_records(world.store, ListJobs(**given), world.limits)
    assert caught.value.field == field


def test_what_is_no_cursor_is_refused_as_one(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        list_records(world.store, ListJobs(cursor="zzz"), world.limits)
    assert refused.value.field == "cursor"
