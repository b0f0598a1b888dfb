"""Refunds: the transfers that give back what the attempts at a job were charged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sheratan.contracts.errors import Conflict, InvalidInput
from sheratan.contracts.ledger import Transfer, transfer_id
from sheratan.contracts.prices import Charge

__all__ = ["job_refunds"]


def job_refunds(
    charges: Sequence[Charge], *, name: str, amount: int | None = None, with_share: bool = False
) -> list[Transfer]:
    """The transfers that give back what a job was charged: by the same name the same ones, so they apply once.

    Without an amount all of it that did not go back yet; `with_share` the worker's share comes back before, in one
    chain. Conflict when nothing was charged, or when an amount is given and several attempts were charged. InvalidInput
    when an amount is to come back with its share.
    """
    charged = [one for one in charges if one.amount]
    if not charged:
        raise Conflict("no attempt at this job was charged anything", field="job")
    if amount is not None:
        _check_part(charged, with_share=with_share)
    return [transfer for one in charged for transfer in _refunds_of(one, name, amount, with_share=with_share)]


def _check_part(charged: Sequence[Charge], *, with_share: bool) -> None:
    """A part can be given back of one charge, and the operator gives it."""
    if with_share:
        raise InvalidInput("a share comes back as a whole, with all that was charged", field="amount")
    if len(charged) > 1:
        settlements = ", ".join(str(one.settlement) for one in charged)
        raise Conflict(f"several attempts were charged; name one of {settlements}", field="amount")


def _refunds_of(charge: Charge, name: str, amount: int | None, *, with_share: bool) -> Iterator[Transfer]:
    name = f"{name}/{charge.fence}"
    if with_share and charge.payout is not None:
        yield Transfer(id=transfer_id(f"{name}/share"), corrects=charge.payout, linked=True)
    yield Transfer(id=transfer_id(name), corrects=charge.settlement, amount=amount)
