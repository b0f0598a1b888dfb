"""The part of the model that knows budgets of money: what jobs may spend, and what they have spent of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from sheratan.contracts.ledger import ISSUE
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import LimitSpending, Pending
from sheratan.simulation.model_book import ModelBook
from sheratan.simulation.model_code import ModelCode
from sheratan.simulation.model_lanes import TENANT, Lane, lane_of, subjects
from sheratan.simulation.model_state import ModelJob
from sheratan.simulation.model_waits import Refused

__all__ = ["BudgetKey", "ModelBudgets"]

BudgetKey = tuple[str, str]
"""Whose jobs it holds for, and its unit."""

_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class _Budget(msgspec.Struct):
    """How much may be spent in each window, and what each attempt has had of it in the one that was spent from last."""

    amount: int
    per: str | None
    window: tuple[int, ...]
    spent: dict[tuple[int, int], int] = msgspec.field(default_factory=dict)
    """By job and fence: what is reserved while it runs, then what it was charged."""


class ModelBudgets(ModelCode):
    """What is left of each budget."""

    limits: Limits
    hit: Callable[[str], None]
    book: ModelBook

    def __init__(self) -> None:
        super().__init__()
        self.budgets: dict[BudgetKey, _Budget | None] = {}
        """What was ever set; None: nothing any more."""

    def _LimitSpending(self, pending: Pending, command: LimitSpending) -> Any:  # noqa: N802 - the command's name
        key, amount = (command.subject, command.unit), command.amount
        if command.subject.startswith("tenant:") and command.subject != TENANT:
            raise Refused("not_found")
        if amount is None:
            if key not in self.budgets:
                raise Refused("not_found")
            self.budgets[key] = None
        else:
            self._set(key, amount, command.per)
        self.hit("budget.removed" if amount is None else "budget.set")
        self.noted["budget.set"] += 1
        return self._entry_of_budget(pending)

    def _set(self, key: BudgetKey, amount: int, per: str | None) -> None:
        if key not in self.budgets and len(self.budgets) >= self.limits.queues_max:
            raise Refused("limit_reached")
        if (ISSUE, key[1]) not in self.book.accounts:
            self.hit("budget.no_unit")
            raise Refused("not_found")
        known = self.budgets.get(key)
        if known is not None and known.per == per:
            known.amount = amount
            self.hit("budget.changed")
        else:
            self.budgets[key] = _Budget(amount, per, _window(per, self.at_us))

    def _entry_of_budget(self, pending: Pending) -> int:
        entry = self._actual_value(pending)
        if not isinstance(entry, int):
            raise Refused("the number of an entry")
        return entry

    def budgets_of(self, lane: Lane, unit: str) -> list[BudgetKey]:
        """The budgets that attempts at jobs of a lane use."""
        return [(one, unit) for one in subjects(lane) if self.budgets.get((one, unit)) is not None]

    def budgets_of_job(self, job: ModelJob, unit: str) -> list[BudgetKey]:
        """The budgets that attempts at a job use, with that of its partition."""
        found, own = self.budgets_of(lane_of(job), unit), (f"partition:{job.wanted.partition}", unit)
        return [*found, own] if job.wanted.partition and self.budgets.get(own) is not None else found

    def left_of(self, key: BudgetKey, at_us: int) -> int:
        """What may be spent of a budget at an instant."""
        budget = self.budgets[key]
        assert budget is not None
        if budget.window != _window(budget.per, at_us):
            return budget.amount
        return max(0, budget.amount - sum(budget.spent.values()))

    def budgets_at(self, at_us: int) -> dict[BudgetKey, tuple[int, str | None, int] | None]:
        """How much may be spent, per what, and how much of it is left."""
        return {
            key: None if one is None else (one.amount, one.per, self.left_of(key, at_us))
            for key, one in self.budgets.items()
        }

    def spend(self, attempt: tuple[int, int], keys: list[BudgetKey], amount: int) -> None:
        """An attempt starts that may cost so much."""
        for key in keys:
            budget = self.budgets[key]
            assert budget is not None
            window = _window(budget.per, self.at_us)
            if budget.window != window:
                self.hit("budget.next_window")
                budget.window, budget.spent = window, dict[tuple[int, int], int]()
            budget.spent[attempt] = amount

    def spent(self, attempt: tuple[int, int], due: int) -> None:
        """An attempt has ended, and did cost so much."""
        for budget in self.budgets.values():
            if budget is not None and attempt in budget.spent:
                if due < budget.spent[attempt]:
                    self.hit("budget.freed")
                budget.spent[attempt] = due


def _window(per: str | None, at_us: int) -> tuple[int, ...]:
    """The part of the calendar that an instant is in."""
    at = _EPOCH + timedelta(microseconds=at_us)
    parts = (at.year, at.month, at.day, at.hour, at.minute)
    return parts[: {None: 0, "month": 2, "day": 3, "hour": 4, "minute": 5}[per]]
