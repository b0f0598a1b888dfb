"""A thousand approvals that somebody meddles with: what is carried out is what was approved, and that once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sheratan.contracts.errors import Conflict, NotAllowed
from sheratan.contracts.worker import Assignment
from sheratan.engine.commands import Vote
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify
from tests.engine.approving import ANNA, BEN, CARL, ask, ask_command, delegate, seen, vote, wait
from tests.engine.world import PERSON, World

APPROVALS = 1_000
APPROVERS = ("local:anna", "local:ben")


def refused(world: World, approval: str, by: Any, **more: Any) -> str:
    """A vote that must not count; how it was refused."""
    before = world.types().count("approval.voted") if approval.endswith("7") else None
    with pytest.raises((Conflict, NotAllowed)) as error:
        vote(world, approval, by, **more)
    if before is not None:
        assert world.types().count("approval.voted") == before
    return error.value.code


def changed_arguments(world: World, approval: str, given: Assignment, nr: int) -> None:
    """The handler changes what it asks after it was approved."""
    vote(world, approval, ANNA)
    for other in ({"nr": nr, "cents": 1_000_001}, {"nr": nr + 1, "cents": 1}):
        with pytest.raises(Conflict):
            world.ask(ask_command(world, given, f"Pay {nr}?", subject=other, approvers=APPROVERS))


def another_digest(world: World, approval: str, given: Assignment, nr: int) -> None:
    """Somebody approves what they have seen elsewhere."""
    assert refused(world, approval, ANNA, digest=f"{nr:064x}") == "conflict"
    vote(world, approval, ANNA)


def replayed(world: World, approval: str, given: Assignment, nr: int) -> None:
    """The same approval is sent again, by the same person and by another."""
    command = Vote(id=approval, verdict="approve", digest=seen(world, approval).digest)
    first = world.ask(command, ANNA)
    assert world.ask(command, ANNA) == first
    assert refused(world, approval, BEN) == "conflict"


def both_at_once(world: World, approval: str, given: Assignment, nr: int) -> None:
    """Two approve in one batch; the first counts."""
    command = Vote(id=approval, verdict="approve", digest=seen(world, approval).digest)
    one, other = world.batch(command, command, by=ANNA)
    assert one.value == other.value
    assert refused(world, approval, BEN, verdict="deny") == "conflict"


def without_a_say(world: World, approval: str, given: Assignment, nr: int) -> None:
    """The requester, a stranger, and an approver who has handed their say on."""
    assert refused(world, approval, PERSON) == "not_allowed"
    assert refused(world, approval, CARL) == "not_allowed"
    delegate(world, approval, ANNA, CARL)
    assert refused(world, approval, ANNA) == "not_allowed"
    vote(world, approval, CARL)


def too_late(world: World, approval: str, given: Assignment, nr: int) -> None:
    """An approver comes when its time is over."""
    command = Vote(id=approval, verdict="approve", digest=seen(world, approval).digest)
    world.clock.advance(10_000_000)
    [answer] = world.batch(command, by=BEN)
    assert answer.error is not None


WAYS = (changed_arguments, another_digest, replayed, both_at_once, without_a_say, too_late)


def test_what_is_carried_out_is_what_was_approved_and_once() -> None:
    world = World()
    session = world.register()
    carried_out: Counter[str] = Counter()
    approved: dict[str, str] = {}
    for nr in range(APPROVALS):
        job = world.submit()
        [given] = world.lease(session)
        way = WAYS[nr % len(WAYS)]
        subject = {"nr": nr, "cents": 1}
        approval = ask(world, given, f"Pay {nr}?", subject=subject, approvers=APPROVERS, seconds=10)
        way(world, approval, given, nr)
        assert world.park(given, wait(approval))
        [again] = world.lease(session)
        [(_, _, output)] = world.recorded(job)
        if way is too_late:
            assert output.type == "ApprovalExpired"
        else:
            carried_out[output["digest"]] += 1
            approved[output["digest"]] = seen(world, approval).digest
        world.settle(again)
    assert set(carried_out.values()) == {1}
    assert all(executed == digest for executed, digest in approved.items())
    votes = [entry for entry in world.entries() if entry.type == "approval.voted"]
    assert Counter(entry.data["digest"] for entry in votes) == carried_out
    assert len(carried_out) == APPROVALS - len(range(WAYS.index(too_late), APPROVALS, len(WAYS)))
    assert verify(world.store).problems == []
    assert replay(world.store).ok
    world.close()
