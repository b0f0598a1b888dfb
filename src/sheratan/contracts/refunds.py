"""Refunds: the transfers that give back what the attempts at a job were charged."""

from __future__ import annotations

from collections.abc import Sequence

from sheratan.contracts.errors import Conflict
from sheratan.contracts.ledger import Transfer, transfer_id
from sheratan.contracts.prices import Charge

__all__ = ["job_refunds"]


def job_refunds(charges: Sequence[Charge], *, name: str, amount: int | None = None) -> list[Transfer]:
    """The transfers that give back what a job was charged: by the same name the same ones, so they apply once.

    Without an amount all of it that did not go back yet. Conflict when nothing was charged, or when an amount is given
    and several attempts were charged.
    """
    charged = [one for one in charges if one.amount]
    if not charged:
        raise Conflict("no attempt at this job was charged anything", field="job")
    if amount is not None and len(charged) > 1:
        settlements = ", ".join(str(one.settlement) for one in charged)
        raise Conflict(f"several attempts were charged; name one of {settlements}", field="amount")
    return [
        Transfer(id=transfer_id(f"{name}/{one.fence}"), corrects=one.settlement, amount=amount)
        for one in charged
    ]
