"""What a worker asks of an engine: requests of the worker protocol."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sheratan.contracts.guards import GUARDS_MAX, OpenBreaker
from sheratan.contracts.jobs import Submission
from sheratan.contracts.request import Request
from sheratan.contracts.worker import Registration, Report, StepReport

__all__ = [
    "EndWorker",
    "HeartbeatWorker",
    "LeaseJobs",
    "RecordSteps",
    "RegisterWorker",
    "SettleJobs",
    "SpawnJobs",
    "WaitForStops",
    "WorkerSession",
]


class RegisterWorker(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A worker comes on duty."""

    registration: Registration


class WorkerSession(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's time on duty: its number, and how often it must be heard of (None: it cannot go unheard)."""

    session: int
    heartbeat_seconds: float | None = None


class LeaseJobs(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A worker has free slots; answered when there is work. A later call ends an earlier one with nothing."""

    session: int
    slots: Annotated[int, msgspec.Meta(ge=1)]


class SettleJobs(Request, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Attempts have ended; answered for each with whether the report counted."""

    session: int
    reports: tuple[Report, ...]


class RecordSteps(Request, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Steps of running attempts have ended; answered for each with whether it counted. Of a job, in their order."""

    session: int
    steps: tuple[StepReport, ...]


class SpawnJobs(Request, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A running job submits jobs, all or none, as its step `step`: in one commit, and once however often it is asked.

    The step's output is the list of their ids. Refused with LostLease when the attempt was given up.
    """

    session: int
    number: int
    fence: int
    step: Annotated[int, msgspec.Meta(ge=1)]
    name: Annotated[str, msgspec.Meta(max_length=200, pattern="^spawn:")]
    occurrence: Annotated[int, msgspec.Meta(ge=1)] = 1
    jobs: tuple[Submission, ...]


class WaitForStops(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Wait for requests to stop attempts."""

    session: int


class HeartbeatWorker(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A worker is alive. `breakers` are those of its guards that are not closed."""

    session: int
    breakers: Annotated[tuple[OpenBreaker, ...], msgspec.Meta(max_length=GUARDS_MAX)] = ()


class EndWorker(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A worker goes off duty."""

    session: int
