"""Proposals: jobs that a running job wants to be made, and that are made within a budget or rejected."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from sheratan.contracts.budgets import DEFAULT_BUDGET, ProposalBudget
from sheratan.contracts.jobs import NO_OPTIONS, Options
from sheratan.contracts.request import Request
from sheratan.contracts.worker import SPAWN_PREFIX

__all__ = [
    "PROPOSED",
    "Proposal",
    "ProposalAnswer",
    "ProposeJobs",
    "Rejection",
    "RejectionCode",
]

PROPOSED = f"{SPAWN_PREFIX}(proposed)"
"""The name of the steps in which jobs are proposed; that of no kind, so of no step that spawns one."""

RejectionCode = Literal[
    "repeat",
    "jobs_budget",
    "depth_budget",
    "time_budget",
    "run_over",
    "stalled",
    "unknown_kind",
    "invalid_input",
    "too_large",
]
"""Why a proposal makes no job."""


class Proposal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A job that is proposed. Its kind and input need not be right: what is wrong with them is a rejection.

    Options have no `key` and no `after`: a proposal never stands for a job that is there, and waits for none.
    """

    kind: str
    input: Any = None
    options: Options = NO_OPTIONS


class Rejection(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A proposal of which no job was made, and why, as a sentence for whoever has proposed it."""

    code: RejectionCode
    because: str


class ProposalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """For each proposal, in order, the id of the job that was made or why none was."""

    verdicts: list[str | Rejection]
    stalled: bool = False
    """Whether the job is to fail now, because nothing was accepted for so long."""


class ProposeJobs(Request, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A running job proposes jobs as its step `step`: decided about in one commit, and once however often it is asked.

    The step's output is the answer. `budget` counts when this is the first call of the job and of all above it.
    Refused with LostLease when the attempt was given up.
    """

    session: int
    number: int
    fence: int
    step: Annotated[int, msgspec.Meta(ge=1)]
    occurrence: Annotated[int, msgspec.Meta(ge=1)] = 1
    proposals: tuple[Proposal, ...]
    budget: ProposalBudget = DEFAULT_BUDGET

    @property
    def name(self) -> str:
        """The name of the step."""
        return PROPOSED
