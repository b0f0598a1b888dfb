"""What the steps of an attempt need of the worker that runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any

import msgspec

from sheratan.contracts.api import ProposeJobs, SpawnJobs
from sheratan.contracts.approvals import AskApproval
from sheratan.contracts.worker import StepReport

__all__ = ["Alone", "Surroundings"]

Alone = SpawnJobs | ProposeJobs | AskApproval
"""What a handler asks of the engine in a call of its own."""


class Surroundings(msgspec.Struct, frozen=True):
    """What the steps of an attempt need of the worker that runs it."""

    send: Callable[[StepReport | Alone], Awaitable[Any]]
    """Record a step; jobs as one, which gives their ids; what is proposed, which gives what has become of it; or what
    is to be approved, which gives its id. LostLease when the attempt was given up, StepFailed when it was recorded as
    failed instead."""
    stop: Callable[[], object]
    """Cancel the handler."""
    is_cancelled: Callable[[], bool]
    """Whether the attempt was asked to stop."""
    threads: Executor | None = None
    """Where plain functions run; the loop's own threads when there are none."""
