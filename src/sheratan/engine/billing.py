"""What attempts at jobs cost: reserved in the commit that starts one, settled in the commit that ends it.

So no work is begun that is not paid for, and none is paid for twice, whichever way its attempts end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, Final

from msgspec.structs import replace

from sheratan.contracts.errors import LimitReached, NotFound
from sheratan.contracts.ledger import Transfer
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.contracts.worker import Assignment
from sheratan.engine.batch import Batch
from sheratan.engine.billing_commands import PriceKind
from sheratan.engine.budgets import spend, spent
from sheratan.engine.ledger import issue_of, open_account, transfer
from sheratan.engine.ledger_commands import OpenAccount
from sheratan.engine.run_budgets import spend_for_runs, spent_for_runs
from sheratan.engine.shares import count_attempts, share
from sheratan.engine.words import check_reason
from sheratan.kernel.billing import (
    OPERATOR,
    amount_due,
    is_payout,
    payer_of,
    reservation_id,
    settlement_id,
)
from sheratan.kernel.ledger_facts import transfer_bytes
from sheratan.store.billing_rows import ChargeRow, OpenCharge, PriceRow
from sheratan.store.partition_rows import lane_of

__all__ = ["due_of", "price_kind", "reserve", "settle_charges", "start_charges"]

_AT_ONCE: Final = 500
"""Attempts that one entry tells of."""


def price_kind(batch: Batch, command: PriceKind, by: Principal) -> int:
    """Set what attempts at jobs of a kind cost; returns the entry that says so."""
    check_reason(command.reason)
    billing, key = batch.state.billing, (by.tenant, command.kind)
    known = billing.rows.get(key)
    data: dict[str, Any] = {"amount": command.amount}
    if command.amount is not None:
        _check_new(batch, command, by, known)
        data |= {"unit": command.unit, "metered": command.metered}
        if command.worker_share:
            data["worker_share"] = True
    elif known is None:
        raise NotFound(f"{command.kind} has no price", field="kind")
    if command.reason:
        data["reason"] = command.reason
    previous = None if known is None else known.entry
    entry = batch.unit.record("price.set", f"price:{command.kind}", data, by, previous=previous)
    unit = command.unit or (known.unit if known else "")
    row = PriceRow(*key, unit, command.amount, int(command.metered), entry, int(command.worker_share))
    billing.put(row)
    batch.unit.ledger.prices[key] = row
    batch.state.partitions.wake_all()
    return entry


def _check_new(batch: Batch, command: PriceKind, by: Principal, known: PriceRow | None) -> None:
    """Where there is a unit there is the account that attempts pay, too."""
    most, unit = batch.state.limits.queues_max, command.unit
    assert unit is not None, "a price has a unit"
    if known is None and len(batch.state.billing.rows) >= most:
        raise LimitReached(f"{most} kinds have had prices (limits.queues_max)", field="kind")
    issue_of(batch, by.tenant, unit)
    open_account(batch, OpenAccount(account=OPERATOR, unit=unit, scale=None, reason=""), by)


def start_charges(batch: Batch, assignments: list[Assignment], worker: str) -> list[Assignment]:
    """Attempts start: what they may cost is spoken for, and reserved with this batch; each is told how much."""
    return [_start(batch, one, worker) for one in assignments]


def _start(batch: Batch, one: Assignment, worker: str) -> Assignment:
    billing = batch.state.billing
    job = batch.state.held[one.number].job
    price = billing.price_of(batch.state.lane_of(job))
    if price is None or price.amount is None:
        return one
    charge = OpenCharge(
        one.number, one.fence, job.lane, price.tenant, price.unit, price.amount, price.metered,
        worker if price.worker_share else None, batch.at_us,
    )  # fmt: skip
    billing.open[one.number] = charge
    batch.started.append(charge)
    spend(batch, charge)
    spend_for_runs(batch, charge)
    batch.spoken_for[price.tenant, price.unit] += price.amount
    return replace(one, charge_max=price.amount)


def reserve(batch: Batch) -> None:
    """Reserve what the attempts may cost that were started in this batch."""
    if not batch.started:
        return
    for tenant, charges in _by_tenant(batch.started):
        transfers = [_reservation(charge) for charge in charges]
        _apply(batch, tenant, transfers, [[charge.number, charge.fence] for charge in charges])
        for charge in charges:
            key = tenant, transfer_bytes(reservation_id(charge.number, charge.fence))
            made = batch.unit.ledger.transfers[key].transfer.number
            batch.unit.ledger.charges.append(
                ChargeRow(charge.number, charge.fence, made, charge.metered, charge.worker)
            )


def settle_charges(batch: Batch) -> None:
    """Move what the attempts did cost that have ended in this batch, and give the rest of it back."""
    if not batch.unsettled:
        return
    for tenant, ended in _by_tenant(batch.unsettled):
        due = [(charge, due_of(batch, charge)) for charge in ended]
        payouts, shared = share(batch, tenant, due)
        told: list[list[int]] = []
        transfers: list[Transfer] = []
        for charge, amount in due:
            reported = batch.reported.get(charge.number) if charge.metered else None
            told.append([charge.number, charge.fence] + ([] if reported is None else [reported]))
            transfers.append(_settlement(charge, amount))
            if charge.number in payouts:
                told.append([charge.number, charge.fence])
                transfers.append(payouts[charge.number])
            spent(batch, charge, amount)
            spent_for_runs(batch, charge, amount)
            batch.charged[charge.number, charge.unit] += amount
            batch.takings[lane_of(charge.lane), charge.unit] += amount
        _apply(batch, tenant, transfers, told, shared)
        count_attempts(batch, ended)


def due_of(batch: Batch, charge: OpenCharge) -> int:
    """What an attempt that has ended costs."""
    reported, succeeded = batch.reported.get(charge.number), batch.succeeded.get(charge.number, False)
    return amount_due(charge.amount, reported, metered=bool(charge.metered), succeeded=succeeded)


def _by_tenant(charges: Iterable[OpenCharge]) -> Iterator[tuple[str, list[OpenCharge]]]:
    """Charges by tenant and job, so many at once as an entry tells of."""
    in_order = sorted(charges, key=attrgetter("tenant", "number"))
    for tenant, found in groupby(in_order, key=attrgetter("tenant")):
        while piece := list(islice(found, _AT_ONCE)):
            yield tenant, piece


def _reservation(charge: OpenCharge) -> Transfer:
    return Transfer(
        id=reservation_id(charge.number, charge.fence),
        phase="pending",
        debit=payer_of(charge.tenant),
        credit=OPERATOR,
        unit=charge.unit,
        amount=charge.amount,
    )


def _settlement(charge: OpenCharge, due: int) -> Transfer:
    return Transfer(
        id=settlement_id(charge.number, charge.fence),
        phase="post" if due else "void",
        pending=reservation_id(charge.number, charge.fence),
        amount=due or None,
    )


def _apply(
    batch: Batch,
    tenant: str,
    transfers: list[Transfer],
    attempts: list[list[int]],
    shared: int | None = None,
) -> None:
    said: dict[str, Any] = {"attempts": attempts} | ({} if shared is None else {"shared": shared})
    results = transfer(batch, tuple(transfers), said, replace(ENGINE, tenant=tenant))
    # Room was looked for before, and nobody else resolves what is reserved for an attempt.
    # Only a share may have nowhere to go: its account may be closed, or full. Then it stays with the operator.
    assert all(one.result == "applied" or is_payout(transfer_bytes(one.id)) for one in results), results
