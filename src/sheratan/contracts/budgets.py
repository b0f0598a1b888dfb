"""Budgets for proposals, and what is used of them."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

__all__ = ["DEFAULT_BUDGET", "ProposalBudget", "ProposalCall", "ProposalUse"]


class ProposalBudget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much may come of the proposals of a job and of all that descends from it since; its first call begins it.

    A job that is made of a proposal is one deeper than the job that has proposed it. A job stalls, and fails for good,
    after so many calls in a row in which none of its proposals was accepted.
    """

    jobs_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 25
    depth_max: Annotated[int, msgspec.Meta(ge=1, le=100)] = 5
    wall_seconds_max: Annotated[float, msgspec.Meta(gt=0, le=31_536_000)] = 300.0
    stalls_after: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3


DEFAULT_BUDGET: Final = ProposalBudget()


class ProposalUse(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of the budget that an open job shares with the job `root`, which has proposed first.

    `depth` is how deep the job is; `until_us` is when the time of the budget is over.
    """

    root: str
    depth: int
    depth_max: int
    jobs: int
    jobs_max: int
    until_us: int


class ProposalCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call in which a job of a run has proposed others: how many, and why some were rejected."""

    job: str
    entry: int
    at_us: int
    proposed: int
    accepted: int
    rejected: list[str] = []
