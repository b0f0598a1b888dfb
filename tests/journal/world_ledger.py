"""A ledger in which everything has happened that can happen to accounts and transfers."""

from __future__ import annotations

from sheratan.contracts.ledger import Transfer
from sheratan.engine.commands import ApplyTransfers, OpenAccount
from tests.engine.booking import PAYER, TAKER, correction, move, pending, post, void
from tests.journal.world import World


def booked(world: World) -> None:
    """Accounts of two units; transfers of every phase, in chains and alone; some refused, some that have expired."""
    for name, unit in ((PAYER, "credits"), (TAKER, "credits"), ("worker:w", "credits"), (PAYER, "tokens")):
        world.ask(OpenAccount(account=name, unit=unit, scale=2, reason="a test"))
    _apply(world, move(1, 10_000, "system:issue", PAYER))
    _apply(world, move(2, 700, linked=True), move(3, 300, TAKER, "worker:w"))
    _apply(world, pending(4, 1_000, timeout_seconds=60), pending(5, 500), pending(6, 200, timeout_seconds=30))
    _apply(world, post(7, 4, 400), void(8, 5))
    _apply(world, correction(30, 3), correction(31, 2, 100), correction(32, 7, 50), correction(33, 3))
    _apply(world, correction(34, 2, 50))
    _apply(
        world, move(9, 99_999), move(10, 50, balancing="debit"), move(11, 5, linked=True), move(20, 99_999)
    )
    _apply(world, move(12, 99_999))
    _apply(world, move(13, 100_000, TAKER, "worker:w", balancing="debit"))
    world.tick(30)
    _apply(world, post(14, 6))
    _apply(world, pending(15, 0, "worker:w", PAYER, closes="debit"), move(16, 1, "worker:w", PAYER))
    _apply(
        world,
        void(17, 15),
        pending(18, 70, closes="credit"),
        pending(19, 30, PAYER, "worker:w", timeout_seconds=9_999),
    )
    _apply(world, move(21, 1, "system:issue", "worker:w"))
    _apply(world, void(22, 18), move(23, 1, "system:issue", PAYER))
    _apply(world, pending(24, 70, closes="credit"))


def _apply(world: World, *transfers: Transfer) -> None:
    world.ask(ApplyTransfers(transfers=transfers, reason="a test"))
