"""Options of a submission as keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from sheratan.contracts.jobs import AFTER_FAILURE, NO_OPTIONS, Criticality, Options
from sheratan.contracts.values import convert

__all__ = ["ApprovalOptions", "SubmissionOptions", "read_options"]


class ApprovalOptions(TypedDict, total=False):
    """Who may approve, how many must, and until when; see `Context.approve`."""

    approvers: Sequence[str]
    approvals: int
    self_approval: bool
    timeout_seconds: float
    deadline_us: int
    name: str


class SubmissionOptions(TypedDict, total=False):
    """How a job is to be run; see `Options` for what each means."""

    queue: str
    priority: int
    delay_seconds: float
    key: str
    attempts_max: int
    backoff_base_seconds: float
    backoff_max_seconds: float
    run_timeout_seconds: float
    queue_timeout_seconds: float
    deadline_seconds: float
    after: tuple[str, ...]
    after_failure: AFTER_FAILURE
    tags: tuple[str, ...]
    cost: int
    partition: str
    criticality: Criticality
    version: int
    traceparent: str
    budget: Mapping[str, int]


def read_options(given: SubmissionOptions) -> Options:
    """Options, checked: their types only hold once they are converted."""
    return convert(given, Options) if given else NO_OPTIONS
