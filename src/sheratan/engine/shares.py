"""The workers' shares: what an attempt was charged is shared in the commit that settles it, as a rule says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from sheratan.contracts.ledger import Transfer
from sheratan.contracts.principal import ENGINE
from sheratan.engine.batch import Batch
from sheratan.kernel.billing import OPERATOR, payout_id
from sheratan.kernel.margin import MARGIN, UNKNOWN, Reliability, decide_margins, observed
from sheratan.kernel.rules import decision
from sheratan.store.billing_rows import OpenCharge, ReliabilityRow

__all__ = ["count_attempts", "share"]


def share(
    batch: Batch, tenant: str, due: Iterable[tuple[OpenCharge, int]]
) -> tuple[dict[int, Transfer], int | None]:
    """The transfers of the shares of what these attempts are charged, by fence and job; and the entry that says why."""
    shared = [(charge, amount) for charge, amount in due if amount and _is_paid(batch, charge)]
    if not shared:
        return {}, None
    given: dict[str, Any] = {"shares": [_told(batch, charge, amount) for charge, amount in shared]}
    verdict = decide_margins(given)
    entry = batch.unit.record(
        "ledger.shared",
        "ledger",
        {"attempts": [[charge.number, charge.fence] for charge, _ in shared]},
        replace(ENGINE, tenant=tenant),
        decision=decision(MARGIN, given, verdict),
    )
    payouts = {
        charge.number: Transfer(
            id=payout_id(charge.number, charge.fence),
            debit=OPERATOR,
            credit=charge.worker,
            unit=charge.unit,
            amount=part,
        )
        for (charge, _), (_, part) in zip(shared, verdict.chosen, strict=True)
    }
    return payouts, entry


def count_attempts(batch: Batch, ended: Iterable[OpenCharge]) -> None:
    """What is known of workers after these attempts."""
    for charge in ended:
        succeeded = batch.succeeded.get(charge.number)
        if succeeded is None or charge.worker is None or not _is_paid(batch, charge):
            continue
        known = _known(batch, charge)
        latency_ms = (batch.at_us - charge.leased_us) // 1_000
        after = observed(known, succeeded=succeeded, latency_ms=latency_ms)
        key = charge.tenant, charge.worker, charge.unit
        batch.unit.ledger.reliabilities[key] = ReliabilityRow(*key, *after)


def _is_paid(batch: Batch, charge: OpenCharge) -> bool:
    """Whether there is an account that a share would go to: it is for people to open one."""
    return (
        charge.worker is not None
        and batch.state.ledger.find((charge.tenant, charge.worker, charge.unit)) is not None
    )


def _told(batch: Batch, charge: OpenCharge, amount: int) -> list[Any]:
    known = _known(batch, charge)
    return [charge.worker, charge.unit, amount, known.success_permille, known.latency_ms]


def _known(batch: Batch, charge: OpenCharge) -> Reliability:
    """What is known of an attempt's worker, as of this batch."""
    key = charge.tenant, charge.worker or "", charge.unit
    row = batch.unit.ledger.reliabilities.get(key) or batch.state.store.reliability(*key)
    return UNKNOWN if row is None else Reliability(*row[3:])
