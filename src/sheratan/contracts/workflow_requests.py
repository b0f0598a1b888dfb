"""The part of the API that knows workflows: run them, look at runs, stop them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from sheratan.contracts.jobs import Name
from sheratan.contracts.request import Reason, Request
from sheratan.contracts.runs import RunRecord, RunState
from sheratan.contracts.workflows import NodeName, Workflow

__all__ = [
    "CancelRun",
    "ForkRun",
    "GetRun",
    "ListRuns",
    "RunPage",
    "RunReceipt",
    "RunWorkflow",
    "WaitForRun",
]


class RunWorkflow(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Run a workflow; it is checked as a whole first, and durable once this is answered.

    The same `key` with the same workflow and input is the same run; with others it is a conflict that names the field.
    """

    workflow: Workflow
    input: Any = None
    key: str | None = None


class RunReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has begun; `existing` says that its idempotency key had made it before."""

    id: str
    existing: bool = False


class ForkRun(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Continue an ended run in a new one, which takes over what is unchanged together with all before it.

    From `node` on all runs anew, changed or not. `workflow` and `input` take the place of those of the ended run.
    """

    id: str
    node: NodeName | None = None
    workflow: Workflow | None = None
    input: Any = msgspec.UNSET
    key: str | None = None


class GetRun(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One run as it stands, with its nodes."""

    id: str


class WaitForRun(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Wait until a run has ended, at most `timeout_seconds`."""

    id: str
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None


class ListRuns(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Runs, newest first, without their nodes and values. `cursor` continues an earlier page."""

    state: RunState | None = None
    workflow: Name | None = None
    limit: Annotated[int, msgspec.Meta(ge=1)] = 50
    cursor: str | None = None


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of runs; `next_cursor` is None on the last one."""

    items: list[RunRecord]
    next_cursor: str | None = None


class CancelRun(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Cancel a run: what runs of it is cancelled, and what it has done is compensated, unless `keeps` is true."""

    id: str
    reason: Reason = ""
    keeps: bool = False
