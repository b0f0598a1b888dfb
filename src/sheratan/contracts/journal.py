"""Journal entries: what is written down, in which form, under which type names."""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

__all__ = ["ENTRY_TYPES", "ENTRY_VERSION", "GENESIS", "Entry", "EntryType"]

ENTRY_VERSION = 1
GENESIS = "0" * 64
"""`prev` of entry 0."""

EntryType = Literal[
    "engine.started",
    "engine.draining",
    "engine.resumed",
    "engine.stopped",
    "system.changed",
    "policy.set",
    "clock.stepped",
    "worker.registered",
    "worker.leased",
    "worker.ended",
    "queue.paused",
    "queue.resumed",
    "kind.paused",
    "kind.resumed",
    "tenant.paused",
    "tenant.resumed",
    "flow.limited",
    "job.submitted",
    "job.refused",
    "job.throttled",
    "job.proposed",
    "job.due",
    "job.unblocked",
    "job.succeeded",
    "job.failed",
    "job.timed_out",
    "job.retried",
    "job.requeued",
    "job.cancel_requested",
    "job.cancelled",
    "job.fenced_off",
    "job.replayed",
    "job.discarded",
    "job.waiting",
    "job.blocked",
    "job.woken",
    "bulk.started",
    "bulk.ended",
    "signal.sent",
    "schedule.created",
    "schedule.changed",
    "schedule.missed",
    "schedule.fired",
    "schedule.skipped",
    "schedule.postponed",
    "schedule.backfilled",
    "schedule.triggered",
    "schedule.paused",
    "schedule.resumed",
    "schedule.deleted",
    "approval.asked",
    "approval.voted",
    "approval.delegated",
    "approval.expired",
    "approval.cancelled",
    "step.succeeded",
    "step.failed",
    "workflow.started",
    "workflow.forked",
    "workflow.advanced",
    "workflow.blocked",
    "workflow.stopping",
    "workflow.compensating",
    "workflow.ended",
    "retention.set",
    "retention.pruned",
    "retention.runs_pruned",
    "journal.kept",
    "journal.archived",
    "ledger.account_opened",
    "ledger.transferred",
    "ledger.refused",
    "ledger.expired",
    "ledger.shared",
    "price.set",
    "budget.set",
    "alert.raised",
    "alert.cleared",
    "alert.notified",
]
ENTRY_TYPES: tuple[str, ...] = get_args(EntryType)


class Entry(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
):
    """One entry, as canonical JSON (RFC 8785) in the journal.

    `at` is microseconds since the epoch and never runs backwards; `prev` is the SHA-256 of the entry before.
    `previous` is the last earlier entry about the same subject, so that each subject's story is a linked list that
    needs no index; it is absent from a first entry and from one that stands beside the story, as a refusal does.
    `cause` is an earlier entry about another subject that led to this one. `auth` says how the actor was known;
    `policy` is the entry that set the policy in force.
    """

    # In the order of their names: so the encoder writes them in canonical order without sorting.
    actor: str
    at: int
    auth: str
    cause: int | None = None
    data: dict[str, Any]
    decision: dict[str, Any] | None = None
    on_behalf_of: str
    policy: int
    prev: str
    previous: int | None = None
    seq: int
    subject: str
    tenant: str
    type: str
    v: int = ENTRY_VERSION
