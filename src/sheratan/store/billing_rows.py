"""Rows about what attempts at jobs cost."""

from __future__ import annotations

from typing import NamedTuple

from sheratan.contracts.spending import Window

__all__ = [
    "BudgetRow",
    "ChargeRow",
    "ChargeView",
    "JobBudgetRow",
    "OpenCharge",
    "PriceRow",
    "ReliabilityRow",
    "RunBudgetRow",
    "RunSpenderRow",
]


class PriceRow(NamedTuple):
    """What an attempt at a job of a kind costs; `amount` None: nothing any more. `entry` says so."""

    tenant: str
    kind: str
    unit: str
    amount: int | None
    metered: int
    entry: int
    worker_share: int


class BudgetRow(NamedTuple):
    """How much may be spent, `amount` None: as much as there is; and what is, by fences from the entry `since` on."""

    tenant: str
    subject: str
    unit: str
    per: Window | None
    amount: int | None
    entry: int
    since: int
    ends_us: int | None
    """When the window ends in which this is spent; None: never."""
    reserved: int
    charged: int


class JobBudgetRow(NamedTuple):
    """What all attempts at a job may be charged in a unit; it never changes."""

    number: int
    unit: str
    amount: int


class RunBudgetRow(NamedTuple):
    """What the jobs of a run may spend in a unit, and what they do."""

    run: int
    unit: str
    amount: int
    reserved: int
    charged: int


class RunSpenderRow(NamedTuple):
    """A job that spends from the budgets of a run; it never changes."""

    number: int
    run: int


class ChargeRow(NamedTuple):
    """An attempt at a job that costs something, and the transfer that has reserved it; it never changes."""

    number: int
    fence: int
    transfer: int
    metered: int
    worker: str | None
    """The account that gets a share of it."""


class OpenCharge(NamedTuple):
    """An attempt that runs, and what is reserved for it."""

    number: int
    fence: int
    lane: int
    tenant: str
    unit: str
    amount: int
    metered: int
    worker: str | None
    leased_us: int


class ReliabilityRow(NamedTuple):
    """How the worker of an account did of late, in sums of eight."""

    tenant: str
    account: str
    unit: str
    success: int
    latency: int
    attempts: int


class ChargeView(NamedTuple):
    """An attempt that was charged: what was reserved, by which entry, and what came of it; None while it runs.

    `settlement` is the transfer that has settled it, of which so much was `refunded`.
    """

    number: int
    fence: int
    transfer: bytes
    unit: str
    scale: int
    reserved: int
    entry: int
    amount: int | None
    settled: int | None
    tenant: str
    settlement: bytes | None
    refunded: int
    worker: str | None
