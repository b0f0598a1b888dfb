"""A job that asks people, and the people who decide."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.approvals import ApprovalRecord, AskApproval, GetApproval
from sheratan.contracts.principal import Principal
from sheratan.contracts.worker import Assignment, Wait
from sheratan.engine.commands import Ask, Delegate, Vote
from sheratan.engine.inbox import approval_record
from sheratan.gateway.approvals import prepare_ask
from tests.engine.world import PERSON, World

__all__ = [
    "ANNA",
    "BEN",
    "CARL",
    "DORA",
    "ask",
    "ask_command",
    "asked",
    "delegate",
    "person",
    "seen",
    "vote",
    "wait",
]


def person(name: str) -> Principal:
    """Somebody on this machine."""
    return Principal(actor=f"local:{name}", auth="peer", on_behalf_of=f"local:{name}")


ANNA, BEN, CARL, DORA = (person(name) for name in ("anna", "ben", "carl", "dora"))


def ask_command(world: World, given: Assignment, question: str = "Go?", **more: Any) -> Ask:
    """A checked request of a running job."""
    request = AskApproval(
        session=0,
        number=given.number,
        fence=given.fence,
        name=more.pop("name", "wait:approval"),
        question=question,
        **more,
    )
    return prepare_ask(request, world.limits)


def ask(world: World, given: Assignment, question: str = "Go?", **more: Any) -> str:
    """A running job asks; returns the request's id."""
    return str(world.ask(ask_command(world, given, question, **more)))


def wait(approval: str, name: str = "wait:approval", occurrence: int = 1) -> Wait:
    """What its handler waits for then."""
    return Wait(name=name, occurrence=occurrence, what="approval", key=approval)


def asked(world: World, question: str = "Go?", **more: Any) -> tuple[str, str]:
    """A job that waits for an approval, and the request."""
    job = world.submit(backoff_base_seconds=0.0)
    [given] = world.lease(world.register())
    approval = ask(world, given, question, **more)
    assert world.park(given, wait(approval))
    return job, approval


def seen(world: World, approval: str) -> ApprovalRecord:
    """A request as people see it."""
    return approval_record(world.store, GetApproval(id=approval))


def vote(world: World, approval: str, by: Principal = ANNA, verdict: str = "approve", **more: Any) -> int:
    """Somebody decides about what they have just seen, unless with another `digest`."""
    digest = more.pop("digest", None) or seen(world, approval).digest
    return int(world.ask(Vote(id=approval, verdict=verdict, digest=digest, **more), by))


def delegate(world: World, approval: str, by: Principal, to: Principal = PERSON, comment: str = "") -> int:
    """Somebody hands their say on."""
    return int(world.ask(Delegate(id=approval, to=to.actor, comment=comment), by))
