"""What is asked of an engine about the starts of jobs: pauses and limits of queues, kinds and tenants."""

from __future__ import annotations

from sheratan.contracts.flow import FlowLimits
from sheratan.contracts.jobs import Name
from sheratan.contracts.request import Reason, Request

__all__ = [
    "LimitKind",
    "LimitQueue",
    "LimitTenant",
    "ListFlows",
    "ListQueues",
    "PauseKind",
    "PauseQueue",
    "PauseTenant",
    "ResumeKind",
    "ResumeQueue",
    "ResumeTenant",
]


class ListQueues(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every queue that has been used or paused."""


class PauseQueue(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Start no more jobs of a queue."""

    queue: Name
    reason: Reason = ""


class ResumeQueue(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Start jobs of a queue again."""

    queue: Name


class LimitQueue(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Set the limits of a queue, all of them at once; answered with the entry that records it."""

    queue: Name
    limits: FlowLimits
    reason: Reason = ""


class PauseKind(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Start no more jobs of a kind, in whatever queue."""

    kind: Name
    reason: Reason = ""


class ResumeKind(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Start jobs of a kind again."""

    kind: Name


class LimitKind(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Set the limits of a kind, all of them at once; answered with the entry that records it."""

    kind: Name
    limits: FlowLimits
    reason: Reason = ""


class PauseTenant(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Start no more jobs of the tenant that the caller acts for, whatever their queue and kind."""

    tenant: Name
    reason: Reason = ""


class ResumeTenant(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Start jobs of the tenant again that the caller acts for."""

    tenant: Name


class LimitTenant(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Set the limits of the tenant that the caller acts for, all at once; answered with the entry that records it."""

    tenant: Name
    limits: FlowLimits
    reason: Reason = ""


class ListFlows(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every queue, kind and tenant that has been used, paused or limited, with its limits."""
