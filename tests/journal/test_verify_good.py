"""What the real engine writes verifies and replays, whatever it went through."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import sheratan
from sheratan import Context, Fatal
from sheratan.contracts.journal import ENTRY_TYPES
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import Cancel, EndSession, Pause, Resume
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify
from sheratan.store.sqlite.store import SqliteStore
from tests.journal.tamper import checked, reader_of
from tests.journal.world import SECOND_US, World, eventful, new


@pytest.fixture
def tenant_data(tmp_path: Path) -> Path:
    """A data file of one's own, in which a tenant was paused and resumed."""
    world = World(tmp_path / "tenant.db")
    world.ask(Pause(subject="tenant:default", reason="lunch"))
    world.ask(Resume(subject="tenant:default"))
    world.close()
    return tmp_path / "tenant.db"


JOURNALS = (
    "eventful", "runs", "pruned_runs", "archived", "kept", "gates", "ledger", "billing", "budgets", "shares",
    "job_budgets", "run_budgets", "deadlines", "proposals", "system", "alerts",
)  # fmt: skip


def test_journals_with_every_type_of_entry_verify_and_count_them(
    tenant_data: Path, request: pytest.FixtureRequest
) -> None:
    counted = set()
    for path in (tenant_data, *(request.getfixturevalue(f"{name}_data") for name in JOURNALS)):
        found = checked(path)
        assert found.problems == []
        assert found.ok
        assert found.tables_compared
        assert sum(found.counts.values()) == found.entries
        assert found.counts.get("job.submitted", 0) == found.jobs
        counted |= set(found.counts)
    assert counted == set(ENTRY_TYPES)


def test_every_recorded_decision_of_a_good_journal_is_derived_again(data: Path) -> None:
    reader = reader_of(data)
    found = replay(reader)
    assert found.ok, found.differences
    assert found.decisions == sum(count.decisions for count in found.counts.values())
    assert {"job.admission@2", "retry.backoff@1", "dispatch.order@2", "job.settle@1"} <= set(found.counts)
    reader.close()


def test_an_empty_data_directory_verifies(tmp_path: Path) -> None:
    world = World(tmp_path / "sheratan.db")
    world.stop()
    found = verify(world.store)
    assert found.ok
    assert found.jobs == 0
    world.close()


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_makes_the_same_journal_and_it_verifies(seed: int) -> None:
    one, other = eventful(World(seed=seed)), eventful(World(seed=seed))
    assert list(one.store.pages()) == list(other.store.pages())
    assert verify(one.store).problems == []


def test_a_changed_limit_on_lost_workers_holds_from_its_entry_on() -> None:
    world = World(limits=Limits(worker_losses_max=3))
    world.submit(new())
    for _ in range(2):
        session = world.worker()
        world.lease(session)
        world.restart()
    world.lease(world.worker())
    world.restart(Limits(worker_losses_max=1))
    assert world.store.counts()["result"] == 1
    assert verify(world.store).problems == []


def test_limits_on_waiting_verify_at_every_moment_of_a_wait() -> None:
    world = World()
    session = world.worker()
    first = world.submit(new())[0]
    limit = {"queue_timeout_us": 3 * SECOND_US}
    world.submit(new(**limit, after=(first,), delay_us=9 * SECOND_US), new(**limit, delay_us=2 * SECOND_US))
    for moment in range(24):
        if moment == 10:
            (held,) = world.lease(session, 1)
            world.settle(session, held)
        world.tick(1)
        assert verify(world.store).problems == [], moment
    assert world.store.counts() == {
        "ready": 0, "timer": 0, "waiting": 0, "lease": 0, "blocked": 0, "result": 3,
    }  # fmt: skip


@pytest.mark.parametrize("whole_engine", [False, True])
def test_an_attempt_that_was_to_stop_and_is_lost_verifies(*, whole_engine: bool) -> None:
    world = World()
    session = world.worker()
    (wanted,) = world.submit(new())
    world.lease(session)
    world.ask(Cancel(id=wanted, reason="no longer needed"))
    if whole_engine:
        world.restart()
    else:
        world.ask(EndSession(session=session))
    assert world.store.counts()["result"] == 1
    assert verify(world.store).problems == []


def test_what_the_embedded_engine_writes_verifies_while_it_runs_and_after_it(tmp_path: Path) -> None:
    @sheratan.job(attempts_max=2, backoff_base_seconds=0.0)
    async def shaky(context: Context, wanted: int) -> int:
        if context.attempt == 1 and wanted % 3 == 0:
            raise RuntimeError("the first time fails")
        if wanted == 7:
            raise Fatal("seven never works")
        return wanted

    async def run() -> None:
        async with sheratan.open(tmp_path, [shaky]) as client:
            handles = await client.submit_many([shaky.submission(wanted) for wanted in range(20)])
            for handle in handles:
                await client.wait(handle.id, timeout_seconds=30)
            assert checked(tmp_path / "sheratan.db").problems == []

    asyncio.run(run())
    found = checked(tmp_path / "sheratan.db")
    assert found.problems == []
    assert found.jobs == 20


class Busy(SqliteStore):
    """A reader beside a server that commits in the midst of the comparison, as often as it is told to."""

    def __init__(self, world: World, path: Path, commits: int) -> None:
        super().__init__(reader_of(path)._connection)
        self.world = world
        self.commits = commits

    def result_numbers(self, above: int | None = None) -> Iterator[int]:
        if self.commits:
            self.commits -= 1
            session = self.world.worker()
            self.world.submit(new(), new(delay_us=SECOND_US))
            for assignment in self.world.lease(session):
                self.world.settle(session, assignment)
        return super().result_numbers(above)


@pytest.mark.parametrize("commits", [1, 2])
def test_a_server_that_commits_meanwhile_is_compared_at_one_moment(tmp_path: Path, commits: int) -> None:
    world = eventful(World(tmp_path / "sheratan.db"))
    before = world.store.shard().head.seq
    busy = Busy(world, tmp_path / "sheratan.db", commits)
    found = verify(busy)
    assert found.problems == []
    assert found.tables_compared
    # The second comparison has its own moment: what is committed after that is left to the next verification.
    assert before < found.entries <= world.store.shard().head.seq
    assert busy.commits == 0
    busy.close()
    world.close()
