"""Prices, budgets and charges as people and programs see them."""

from __future__ import annotations

from sheratan.contracts.ledger import ISSUE
from sheratan.contracts.prices import Charge, PriceRecord
from sheratan.contracts.spending import BudgetRecord, SpendingRecord
from sheratan.engine.billing_state import is_over
from sheratan.engine.ids import find_remains
from sheratan.engine.views import find_view
from sheratan.kernel.billing import OPERATOR, payout_id
from sheratan.kernel.budgets import window_end_us
from sheratan.kernel.ledger_facts import transfer_bytes, transfer_text
from sheratan.store.billing_rows import BudgetRow, ChargeView, PriceRow
from sheratan.store.ledger_rows import TransferRow
from sheratan.store.port import Reader

__all__ = ["list_budgets", "list_charges", "list_prices", "list_spending"]


def list_prices(reader: Reader, tenant: str) -> list[PriceRecord]:
    """What attempts at jobs cost, by kind."""
    return [_price(reader, row, row.amount) for row in reader.prices() if row.tenant == tenant and row.amount]


def _price(reader: Reader, row: PriceRow, amount: int) -> PriceRecord:
    operator = reader.ledger_account(row.tenant, OPERATOR, row.unit)
    assert operator is not None, "it is opened with the price"
    return PriceRecord(
        kind=row.kind,
        unit=row.unit,
        scale=operator.account.scale,
        amount=amount,
        metered=bool(row.metered),
        worker_share=bool(row.worker_share),
        entry=row.entry,
    )


def list_budgets(reader: Reader, tenant: str) -> list[BudgetRecord]:
    """How much jobs may spend, and how much of it is used in windows that are not over."""
    return [
        _budget(reader, row, row.amount)
        for row in reader.budgets()
        if row.tenant == tenant and row.amount is not None
    ]


def _budget(reader: Reader, row: BudgetRow, amount: int) -> BudgetRecord:
    issue, at_us = reader.ledger_account(row.tenant, ISSUE, row.unit), reader.shard().head.at
    assert issue is not None, "a budget is set where there is its unit"
    if is_over(row, at_us):
        row = row._replace(ends_us=window_end_us(row.per, at_us), reserved=0, charged=0)
    return BudgetRecord(
        subject=row.subject,
        unit=row.unit,
        scale=issue.account.scale,
        per=row.per,
        amount=amount,
        reserved=row.reserved,
        charged=row.charged,
        ends_us=row.ends_us,
        entry=row.entry,
    )


def list_spending(reader: Reader, tenant: str) -> list[SpendingRecord]:
    """What attempts at jobs have cost, by the units in which they ever had a price."""
    found = []
    for unit in sorted({row.unit for row in reader.prices() if row.tenant == tenant}):
        operator = reader.ledger_account(tenant, OPERATOR, unit)
        assert operator is not None, "it is opened with the price"
        spent, reserved = operator.balance.credits_posted, operator.balance.credits_pending
        found.append(SpendingRecord(unit=unit, scale=operator.account.scale, spent=spent, reserved=reserved))
    return found


def list_charges(reader: Reader, text: str) -> list[Charge]:
    """What the attempts at a job were charged, in their order; NotFound when there is no such job."""
    left = find_remains(reader, text)
    number = left.number if left is not None else find_view(reader, text).job.number
    views = reader.charges_of(number)
    return [_charge(view, _payout(reader, view)) for view in views]


def _payout(reader: Reader, view: ChargeView) -> TransferRow | None:
    """The transfer of the worker's share, if it has had one."""
    if view.worker is None:
        return None
    key = transfer_bytes(payout_id(view.number, view.fence))
    found = reader.find_transfers(view.tenant, [key]).get(key)
    return None if found is None else found.transfer


def _charge(view: ChargeView, payout: TransferRow | None) -> Charge:
    return Charge(
        fence=view.fence,
        transfer=transfer_text(view.transfer),
        unit=view.unit,
        scale=view.scale,
        reserved=view.reserved,
        amount=view.amount,
        settlement=None if view.settlement is None else transfer_text(view.settlement),
        refunded=view.refunded,
        payout=None if payout is None else transfer_text(payout.id),
        share=0 if payout is None else payout.amount,
    )
