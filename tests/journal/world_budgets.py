"""Jobs with budgets: spent, freed, over in time, removed, with attempts that run and some that wait."""

from __future__ import annotations

from sheratan.contracts.spending import Window
from sheratan.engine.commands import ApplyTransfers, LimitSpending, OpenAccount, PriceKind
from tests.engine.booking import move
from tests.journal.world import World, new

PAYER = "tenant:default"


def jobs_with_budgets(world: World) -> None:
    """One of `count` is charged, one has failed, one runs into the next minute, one waits, and one of a partition."""
    world.ask(OpenAccount(account=PAYER, unit="credits", scale=2, reason="a test"))
    world.ask(ApplyTransfers(transfers=(move(1, 2_000, "system:issue", PAYER),), reason="a test"))
    for kind in ("count", "report"):
        world.ask(PriceKind(kind=kind, unit="credits", amount=50, metered=False, reason="a test"))
    _limit(world, PAYER, 170, "minute")
    _limit(world, "kind:count", 1_000)
    _limit(world, "kind:report", 40, "day")
    session = world.worker()
    world.submit(new(), new(), new(), new(), new(kind="report"))
    good, bad, late = world.lease(session)
    world.settle(session, good)
    world.settle(session, bad, "failed", error="fatal")
    [again] = world.lease(session)
    world.settle(session, again)
    _limit(world, "kind:count", 900)
    world.tick(60)
    world.submit(new(), new())
    first, _ = world.lease(session)
    world.settle(session, late)
    world.settle(session, first)
    _limit(world, "queue:other", 10)
    _limit(world, "queue:other", None)
    _spend_in_partition(world, session)


def _spend_in_partition(world: World, session: int) -> None:
    """One of two jobs of a partition starts."""
    _limit(world, "partition:acme", 60)
    world.submit(new(partition="acme"), new(partition="acme"))
    world.lease(session)


def _limit(world: World, subject: str, amount: int | None, per: Window | None = None) -> None:
    command = LimitSpending(subject=subject, unit="credits", per=per, amount=amount, reason="a test")
    world.ask(command)
