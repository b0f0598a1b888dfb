"""Transfers that undo others: what the rule is told of what is to be corrected, and how much of it is by then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sheratan.contracts.ledger import Transfer
from sheratan.engine.batch import Batch
from sheratan.store.ledger_rows import CorrectedRow, TransferRow, TransferView

__all__ = ["correct", "is_correctable", "originals"]


def is_correctable(view: TransferView) -> bool:
    """Whether a transfer has moved something, and not back."""
    row = view.transfer
    return row.phase in ("single", "post") and row.corrects is None and row.amount > 0


def originals(
    batch: Batch,
    transfers: Iterable[Transfer],
    found: dict[str, TransferView],
    place: Callable[[str | None, str | None], int],
) -> dict[str, dict[str, Any]]:
    """By id, those of the transfers found that are to be corrected, and can be; `place` is where an account stands."""
    wanted = {
        one.corrects: found[one.corrects]
        for one in transfers
        if one.corrects in found and is_correctable(found[one.corrects])
    }
    return {
        key: {
            "debit": place(view.debit, view.unit),
            "credit": place(view.credit, view.unit),
            "amount": view.transfer.amount,
            "corrected": _corrected(batch, view.transfer.number),
        }
        for key, view in wanted.items()
    }


def correct(batch: Batch, original: TransferRow, amount: int) -> None:
    """So much of a transfer is undone, beside what was before."""
    total = _corrected(batch, original.number) + amount
    # Nobody gets back more than was moved.
    assert total <= original.amount
    batch.unit.ledger.corrected[original.number] = CorrectedRow(original.number, total)


def _corrected(batch: Batch, number: int) -> int:
    """How much of a transfer is undone, as of this batch."""
    row = batch.unit.ledger.corrected.get(number) or batch.state.store.corrected([number]).get(number)
    return 0 if row is None else row.amount
