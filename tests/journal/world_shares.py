"""Jobs whose workers get a share: of several in one batch, by meter, of failures, and where an account is closed."""

from __future__ import annotations

from sheratan.engine.commands import ApplyTransfers, Ending, OpenAccount, PriceKind, Settle
from tests.engine.booking import correction, move, pending, void
from tests.journal.world import World, new

PAYER, WORKER = "tenant:default", "worker:w"


def shared_jobs(world: World) -> None:
    """Jobs 1 and 2 end in one batch, 3 fails, 4 is charged by meter, and for 5 the worker's account is closed."""
    for account in (PAYER, WORKER):
        world.ask(OpenAccount(account=account, unit="credits", scale=2, reason="a test"))
    for kind, amount, metered in (("count", 50, False), ("report", 80, True)):
        world.ask(
            PriceKind(
                kind=kind, unit="credits", amount=amount, metered=metered, worker_share=True, reason="a test"
            )
        )
    world.ask(ApplyTransfers(transfers=(move(1, 900, "system:issue", PAYER),), reason="a test"))
    session = world.worker(name="w")
    world.submit(new(), new())
    both = world.lease(session)
    world.tick(1)
    reports = tuple(
        Ending(number=one.number, fence=one.fence, outcome="succeeded", output=b"1") for one in both
    )
    world.ask(Settle(session=session, reports=reports))
    world.tick(1)
    world.submit(new())
    [bad] = world.lease(session)
    world.settle(session, bad, "failed", error="fatal")
    world.submit(new(kind="report"))
    [metered] = world.lease(session)
    ending = Ending(number=metered.number, fence=metered.fence, outcome="succeeded", output=b"1", charge=30)
    world.ask(Settle(session=session, reports=(ending,)))
    closing = pending(2, 0, WORKER, PAYER, closes="debit")
    world.ask(ApplyTransfers(transfers=(closing,), reason="a test"))
    world.submit(new())
    [late] = world.lease(session)
    world.settle(session, late)
    world.ask(ApplyTransfers(transfers=(void(3, 2),), reason="a test"))
    world.submit(new())
    [last] = world.lease(session)
    world.settle(session, last)
    world.ask(ApplyTransfers(transfers=(correction(4, 1, 1),), reason="a test"))
