"""Budgets of money: how much the jobs of a tenant, a queue, a kind or a partition may spend, or a single job."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sheratan.contracts.ledger import Amount, Unit
from sheratan.contracts.patterns import BUDGET_SUBJECT
from sheratan.contracts.request import Reason, Request

__all__ = [
    "BudgetRecord",
    "BudgetSubject",
    "JobBudget",
    "ListBudgets",
    "OwnBudgetRecord",
    "RemoveBudget",
    "SetBudget",
    "SpendingRecord",
    "Window",
]

BudgetSubject = Annotated[
    str,
    msgspec.Meta(pattern=BUDGET_SUBJECT),
]
"""`tenant:NAME`, `queue:NAME`, `kind:NAME` or `partition:NAME`: whose jobs a budget holds for.

That of a partition holds for its jobs in whatever queue and of whatever kind they are.
"""

Window = Literal["minute", "hour", "day", "month"]
"""A part of the calendar in UTC, in which a budget may be spent once."""


JobBudget = Annotated[dict[Unit, Amount], msgspec.Meta(max_length=8)]
"""What all attempts at one job may be charged together, in minor units by unit; it bounds no other units."""


class SetBudget(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Jobs may spend no more than this from now on; answered with the entry that says so.

    `amount` is in minor units. It holds for each window `per` by itself or, without one, for all that is spent from now
    on. What is reserved for attempts that run counts as spent until they are settled.
    """

    subject: BudgetSubject
    unit: Unit
    amount: Amount
    per: Window | None = None
    reason: Reason = ""


class RemoveBudget(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Nothing but the account bounds what these jobs spend from now on; answered with the entry that says so."""

    subject: BudgetSubject
    unit: Unit
    reason: Reason = ""


class ListBudgets(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much jobs may spend, and how much of it is used, by subject and unit."""


class BudgetRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How much jobs may spend, in minor units; `scale` of a unit's digits stand after the point.

    `reserved` is spoken for by attempts that run, `charged` was paid for those that have ended. Both are of the window
    that ends at `ends_us`, in microseconds since the epoch; None where it never ends.
    """

    subject: str
    unit: str
    scale: int
    per: Window | None
    amount: int
    reserved: int
    charged: int
    ends_us: int | None
    entry: int


class OwnBudgetRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the attempts at a job, or at the jobs of a run, may be charged, in minor units, and what is used of it.

    `reserved` is spoken for by the attempts that run, `charged` was paid for those that have ended.
    """

    unit: str
    scale: int
    amount: int
    reserved: int
    charged: int


class SpendingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What attempts at jobs have cost in a unit, and what is reserved for those that run, in minor units."""

    unit: str
    scale: int
    spent: int
    reserved: int
