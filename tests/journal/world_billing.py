"""Jobs that cost something: charged, given back, by meter, with attempts that run and one that nobody can pay for."""

from __future__ import annotations

from sheratan.engine.commands import ApplyTransfers, Ending, OpenAccount, PriceKind, Settle
from tests.engine.booking import move
from tests.journal.world import World, new

PAYER = "tenant:default"


def priced_jobs(world: World) -> None:
    """Jobs 1 and 2 have ended, 3 was charged by meter, 4 runs and 5 waits for funds."""
    world.ask(OpenAccount(account=PAYER, unit="credits", scale=2, reason="a test"))
    _price(world, "count", 50, metered=False)
    _price(world, "report", 80, metered=True)
    world.ask(ApplyTransfers(transfers=(move(1, 200, "system:issue", PAYER),), reason="a test"))
    session = world.worker()
    world.submit(new(), new())
    good, bad = world.lease(session)
    world.tick(1)
    world.settle(session, good)
    world.settle(session, bad, "failed", error="fatal")
    world.submit(new(kind="report"))
    [metered] = world.lease(session)
    ending = Ending(number=metered.number, fence=metered.fence, outcome="succeeded", output=b"1", charge=30)
    world.ask(Settle(session=session, reports=(ending,)))
    world.submit(new())
    [_] = world.lease(session)
    world.submit(new(kind="report"))
    world.lease(session)
    world.submit(new())
    world.lease(world.worker(name="other"))
    _price(world, "report", 90, metered=True)


def _price(world: World, kind: str, amount: int, *, metered: bool) -> None:
    command = PriceKind(kind=kind, unit="credits", amount=amount, metered=metered, reason="a test")
    world.ask(command)
