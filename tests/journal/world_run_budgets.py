"""Runs with budgets of money: one that is out of funds, one that a run below has used up, and one that is open."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.worker import Assignment
from sheratan.engine.commands import ApplyTransfers, Ending, EndSession, OpenAccount, PriceKind, Settle
from tests.engine.booking import move
from tests.journal.world import KINDS, RUN_KINDS, World, new
from tests.journal.world_runs import inner, start

PAYER = "tenant:default"


def runs_with_budgets(world: World) -> None:
    """Run 1 stops before its third job, run 2 before that of its second run below; a child of run 5 is not started."""
    for unit in ("credits", "tokens"):
        world.ask(OpenAccount(account=PAYER, unit=unit, scale=2, reason="a test"))
    world.ask(ApplyTransfers(transfers=(move(1, 2_000, "system:issue", PAYER),), reason="a test"))
    for kind, amount in (("part", 50), ("count", 45)):
        world.ask(PriceKind(kind=kind, unit="credits", amount=amount, metered=True, reason="a test"))
    session = world.worker(kinds=(*KINDS, *RUN_KINDS))
    behind = ({"name": "a"}, {"name": "b", "after": ["a"]}, {"name": "c", "after": ["b"]})
    start(world, *behind, budget=_spend(120, tokens=5))
    for charge in (40, 31):
        [given] = world.lease(session, 1)
        _ends(world, session, given, charge)
    session = _nothing_for(world, session)
    below = ({"name": "s", "workflow": "inner"}, {"name": "t", "workflow": "inner", "after": ["s"]})
    start(world, *below, workflows=[inner({"name": "x"}, budget=_spend(500))], budget=_spend(60))
    [given] = world.lease(session, 1)
    _ends(world, session, given, 30)
    session = _nothing_for(world, session)
    start(world, {"name": "a"}, {"name": "b", "after": ["a"]}, budget=_spend(99))
    [parent] = world.lease(session, 1)
    world.spawn(parent, new(), new())
    world.lease(session, 1)
    _nothing_for(world, world.worker(kinds=(*KINDS, *RUN_KINDS)))


def _nothing_for(world: World, session: int) -> int:
    """A worker asks in vain, as what it would be given may not start; returns who serves from now on."""
    assert not world.lease(session)
    world.ask(EndSession(session=session))
    return world.worker(kinds=(*KINDS, *RUN_KINDS))


def _spend(credits: int, **more: int) -> dict[str, Any]:
    return {"spend": {"credits": credits, **more}}


def _ends(world: World, session: int, given: Assignment, charge: int) -> None:
    ending = Ending(number=given.number, fence=given.fence, outcome="succeeded", output=b"1", charge=charge)
    assert all(world.ask(Settle(session=session, reports=(ending,))))
