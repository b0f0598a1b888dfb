"""Handlers that ask people, in a journal that has every type of entry: approved, denied, expired, cancelled, open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheratan.contracts.principal import Principal
from sheratan.contracts.worker import Assignment, Wait
from sheratan.engine.commands import Ask, Cancel, Delegate, Vote
from sheratan.kernel.chain import decode_entry

if TYPE_CHECKING:
    from sheratan.engine.commands import NewJob
    from tests.journal.world import World

__all__ = ["approvals"]

APPROVERS = ("local:anna", "local:ben")


def approvals(world: World, session: int, new: NewJob) -> None:
    """Five jobs that ask; the last one waits on."""
    approved, denied, expired, unwanted, stays = world.submit(*[new] * 5)
    held = {one.id: one for one in world.lease(session)}
    subject = b'{"path":"/srv/' + b"s" * 3_000 + b'"}'
    two = _ask(world, session, held[approved], subject=subject, needed=2)
    delegated = Delegate(id=two, to="local:carl", comment="on holiday")
    world.ask(delegated, _person("ben"))
    _vote(world, two, "anna", "approve")
    _vote(world, two, "carl", "approve")
    _vote(world, _ask(world, session, held[denied]), "ben", "deny")
    _ask(world, session, held[expired], seconds=2.0)
    _ask(world, session, held[unwanted])
    world.ask(Cancel(id=unwanted, reason="nobody needs it"))
    last = _ask(world, session, held[stays], needed=2)
    _vote(world, last, "anna", "approve")
    world.tick(3)
    for one in world.lease(session):
        world.settle(session, one)


def _person(name: str) -> Principal:
    return Principal(actor=f"local:{name}", auth="peer", on_behalf_of=f"local:{name}")


def _ask(world: World, session: int, given: Assignment, **more: Any) -> str:
    asked: dict[str, Any] = {"question": "May I?", "subject": b"1", "approvers": APPROVERS} | more
    command = Ask(number=given.number, fence=given.fence, name="wait:approval", occurrence=1, **asked)
    approval = str(world.ask(command))
    world.park(session, given, Wait(name="wait:approval", occurrence=1, what="approval", key=approval))
    return approval


def _vote(world: World, approval: str, name: str, verdict: str) -> None:
    digest = next(fact["digest"] for subject, fact in _asked(world) if subject == approval)
    world.ask(Vote(id=approval, verdict=verdict, digest=digest, comment="as agreed"), _person(name))


def _asked(world: World) -> list[tuple[str, dict[str, Any]]]:
    lines = [line for _, _, body in world.store.pages() for line in body.split(b"\n")]
    entries = [decode_entry(line) for line in lines if b'"approval.asked"' in line]
    return [(entry.subject, entry.data) for entry in entries]
