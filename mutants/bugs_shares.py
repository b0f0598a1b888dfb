"""Planted bugs in the shares of workers. Each is one of safety: somebody gets what is not theirs, or less than is."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_ENGINE = "engine/shares.py"
_RULE = "kernel/margin.py"

BUGS: Final = (
    Bug(
        "charged-and-never-shared",
        "what an attempt is charged stays with the operator, whose price promises a share",
        "safety",
        "L10",
        (
            Change(
                "engine/billing.py",
                "            if charge.number in payouts:\n",
                "            if charge.number in payouts and len(due) > 1:\n",
            ),
        ),
    ),
    Bug(
        "share-of-all-that-was-reserved",
        "a worker gets its share of what was reserved for its attempt, not of what it was charged",
        "safety",
        "L10",
        (
            Change(
                _ENGINE,
                "_told(batch, charge, amount) for charge, amount in shared",
                "_told(batch, charge, charge.amount) for charge, amount in shared",
            ),
        ),
    ),
    Bug(
        "failures-count-as-successes",
        "an attempt that has failed by itself makes its worker more reliable",
        "safety",
        "L10",
        (Change(_ENGINE, "succeeded=succeeded, latency_ms", "succeeded=True, latency_ms"),),
    ),
    Bug(
        "losses-count-against-workers",
        "an attempt that was lost with the engine counts as one that its worker has failed",
        "safety",
        "L10",
        (
            Change(
                "engine/billing_state.py",
                'return after.state == "succeeded" if after.losses == before.losses else None',
                'return after.state == "succeeded"',
            ),
        ),
    ),
    Bug(
        "reliability-forgotten-within-a-batch",
        "of two attempts that end in one batch the second one counts as if the first had not been",
        "safety",
        "L10",
        (
            Change(
                _ENGINE,
                "batch.unit.ledger.reliabilities.get(key) or batch.state.store",
                "batch.state.store",
            ),
        ),
    ),
    Bug(
        "margin-rounded-up",
        "the operator keeps the part of a minor unit that is the worker's",
        "safety",
        "L10",
        (
            Change(
                _RULE,
                "return [permille, amount - amount * permille // 1_000]",
                "return [permille, amount * (1_000 - permille) // 1_000]",
            ),
        ),
    ),
    Bug(
        "share-of-whoever-asks-next",
        "an attempt that goes on after a failed commit has its share forgotten",
        "safety",
        "L10",
        (
            Change(
                "store/sqlite/queries/select_open_charges.sql",
                "    charge.worker,\n",
                "    NULL,\n",
            ),
        ),
    ),
)
