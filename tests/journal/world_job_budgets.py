"""Jobs with budgets of their own: that are enough, that are used, and that the price has grown beyond."""

from __future__ import annotations

from sheratan.contracts.jobs import JobError
from sheratan.contracts.worker import Assignment, Outcome
from sheratan.engine.commands import ApplyTransfers, Ending, NewJob, OpenAccount, PriceKind, Settle
from tests.engine.booking import move
from tests.journal.world import World, new

PAYER = "tenant:default"
BROKEN = JobError(error_class="retryable", type="Oops", message="it broke")


def jobs_with_own_budgets(world: World) -> None:
    """Job 1 has used its budget, 2 was not started, 4 was handed back and runs, 5 is to be tried again."""
    for unit in ("credits", "tokens"):
        world.ask(OpenAccount(account=PAYER, unit=unit, scale=2, reason="a test"))
    world.ask(ApplyTransfers(transfers=(move(1, 2_000, "system:issue", PAYER),), reason="a test"))
    _price(world, "count", 50)
    _price(world, "report", 30)
    session = world.worker()
    world.submit(_within(120))
    for charge in (40, 31):
        [given] = world.lease(session)
        _ends(world, session, given, "failed", charge)
        world.tick(60)
    world.submit(_within(40, "report"), new(kind="report"))
    _price(world, "report", 45)
    [behind] = world.lease(session)
    _ends(world, session, behind, "succeeded", 45)
    world.submit(_within(130))
    [given] = world.lease(session)
    _ends(world, session, given, "released", 20)
    world.lease(session)
    world.submit(_within(100))
    [given] = world.lease(session)
    _ends(world, session, given, "failed", 10)


def _within(credits: int, kind: str = "count") -> NewJob:
    return new(kind=kind, budget=(("credits", credits), ("tokens", 1)))


def _ends(world: World, session: int, given: Assignment, outcome: Outcome, charge: int) -> None:
    error = BROKEN if outcome == "failed" else None
    ending = Ending(number=given.number, fence=given.fence, outcome=outcome, error=error, charge=charge)
    assert all(world.ask(Settle(session=session, reports=(ending,))))


def _price(world: World, kind: str, amount: int) -> None:
    world.ask(PriceKind(kind=kind, unit="credits", amount=amount, metered=True, reason="a test"))
