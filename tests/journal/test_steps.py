"""A verifier and a replayer that go on from step to step find what a new one finds, and read only what is new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from sheratan.engine.replay import Replayer, replay
from sheratan.engine.verify import Verifier, verify
from sheratan.kernel.rules import Verdict, find_rule
from sheratan.store.sqlite.reader import SqliteReader
from tests.journal.tamper import changed, reader_of, tables
from tests.journal.world import World, eventful, new


class Watched(World):
    """A world that is verified and replayed after each commit."""

    def __init__(self, path: Path, *, seed: int = 7) -> None:
        self.steps = 0
        self.verifier: Verifier | None = None
        super().__init__(path, seed=seed)

    def _commit(self, batch: object) -> object:  # type: ignore[override]
        made = super()._commit(batch)  # type: ignore[arg-type]
        if self.verifier is None:
            self.verifier, self.replayer = Verifier(self.store), Replayer(self.store)
        assert self.verifier.step() == [], f"step {self.steps}"
        assert self.replayer.step() == []
        self.steps += 1
        return made


def test_every_commit_of_an_eventful_journal_verifies_and_replays_in_steps(tmp_path: Path) -> None:
    world = eventful(Watched(tmp_path / "sheratan.db"))
    assert isinstance(world, Watched)
    assert world.steps > 50
    assert world.verifier is not None
    assert world.verifier.result() == verify(world.store, integrity=False)
    assert world.replayer.result() == replay(world.store)
    world.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "sheratan.db")
    session = made.worker()
    made.submit(new(), new(key="known"), new(queue_timeout_us=10**9))
    first = made.lease(session, 1)[0]
    made.settle(session, first, "failed", error="retryable")
    made.submit(new(after=(first.id,)))
    yield made
    made.close()


# What a second step has to find, when it happens beside a commit: the rows that are new, or that may change.
CHANGES = [
    ("UPDATE result SET state = 'failed' WHERE number = 5", "J14", "result"),
    ("INSERT INTO result SELECT number, 'succeeded', 1, 0, 1, NULL, NULL, 1 FROM blocked", "E3", "result"),
    ("INSERT INTO result VALUES (9999, 'succeeded', 1, 0, 1, NULL, NULL, 1)", "E2", "result"),
    ("DELETE FROM ready WHERE number = 2", "J5", "job"),
    ("UPDATE timer SET due_us = due_us + 1", "J14", "timer"),
    ("UPDATE blocked SET missing = missing + 1", "J14", "blocked"),
    (
        "INSERT INTO job SELECT 9999, 1, 1, 5, 1, 1, 1, 1, 1, 0, 'run', NULL, NULL, x'31', NULL, 1, NULL, 0, 0",
        "E2",
        "job",
    ),
    ("UPDATE job SET priority = 3 WHERE number = 5", "J14", "job"),
    ("UPDATE failure SET error = x'7b7d' WHERE number = 6", "J14", "failure"),
    ("INSERT INTO failure SELECT number, entry - 1, error FROM failure WHERE number = 6", "J5", "failure"),
    ("INSERT INTO after VALUES (9999, 0, 2)", "J5", "after"),
    ("UPDATE idempotency SET number = 1 WHERE key = 'later'", "E7", "idempotency"),
    ("INSERT INTO idempotency VALUES ('default', 'more', zeroblob(32), 9999)", "E7", "idempotency"),
    (
        "INSERT INTO flow VALUES ('default', 'queue:unheard', 1, '', 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0)",
        "J5",
        "flow",
    ),
    ("DELETE FROM mention", "J5", "mention"),
    ("INSERT INTO mention SELECT number, entry + 1 FROM mention", "J5", "mention"),
    ("UPDATE alarm SET due_us = due_us - 1", "E13", "alarm"),
    ("UPDATE payload SET body = x'31'", "J14", "payload"),
    ("UPDATE shard SET next_number = 5", "J14", "shard"),
]


def more(world: World) -> None:
    """New jobs under the numbers 5 to 7: one succeeds, one fails, one waits; a stale report; a large input."""
    session = world.worker(name="second", slots=2)
    world.submit(
        new(priority=0), new(priority=0, attempts_max=1), new(key="later", data=b'"' + b"z" * 5_000 + b'"')
    )
    fine, bad = world.lease(session, 2)
    world.settle(session, fine)
    world.settle(session, fine)
    world.settle(session, bad, "failed", error="fatal")


@pytest.mark.parametrize(("change", "invariant", "table"), CHANGES)
def test_a_later_step_finds_what_was_changed_in_new_and_open_rows(
    world: World, change: str, invariant: str, table: str
) -> None:
    verifier = Verifier(world.store)
    assert verifier.step() == []
    more(world)
    changed(world.path, change)
    found = verifier.step()
    assert table in tables(found, invariant), found
    assert not verifier.result().ok


def test_what_was_wrong_in_the_journal_stays_and_what_stood_wrong_is_looked_at_again(world: World) -> None:
    verifier = Verifier(world.store)
    changed(
        world.path,
        "UPDATE blocked SET missing = missing + 1",
        "UPDATE job SET priority = 3 WHERE number = 1",
    )
    assert {problem.row for problem in verifier.step()} == {"blocked 4", "job 1"}
    changed(
        world.path,
        "UPDATE blocked SET missing = missing - 1",
        "UPDATE job SET priority = 5 WHERE number = 1",
    )
    assert {problem.row for problem in verifier.step()} == {"job 1"}
    assert verify(world.store).problems == []


class Counting(SqliteReader):
    """Counts the rows that are read."""

    def __init__(self, path: Path) -> None:
        super().__init__(reader_of(path)._connection)
        self.rows = 0

    def _rows(self, name: str, bindings: object = ()) -> Iterator[object]:  # type: ignore[override]
        found = list(super()._rows(name, bindings))  # type: ignore[arg-type]
        self.rows += len(found)
        return iter(found)


def test_a_step_reads_what_is_new_and_what_is_open(tmp_path: Path) -> None:
    path = tmp_path / "sheratan.db"
    world = World(path)
    session = world.worker(slots=256)
    reader = Counting(path)
    verifier, replayer = Verifier(reader), Replayer(reader)
    costs: list[int] = []
    for _ in range(40):
        world.submit(*(new(key=None) for _ in range(50)))
        for assignment in world.lease(session, 50):
            world.settle(session, assignment)
        reader.rows = 0
        assert verifier.step() == []
        assert replayer.step() == []
        costs.append(reader.rows)
    assert max(costs[1:]) == costs[1] == costs[-1]
    reader.rows = 0
    assert verify(reader, integrity=False).ok
    assert reader.rows > 10 * costs[-1]
    reader.close()
    world.close()


def test_a_replayer_tells_of_each_difference_once_it_was_recorded(world: World) -> None:
    def other(given: dict[str, object]) -> Verdict:
        return replace(find_rule("job.settle@1")(given), because="Because.")

    replayer = Replayer(world.store, {"job.settle@1": other})
    assert replayer.step() == []
    more(world)
    assert {difference.rule for difference in replayer.step()} == {"job.settle@1"}
    assert replayer.step() == list(replayer.result().differences)
