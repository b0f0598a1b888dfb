"""The requests that are a command as they stand: nothing of them has to be looked up or checked before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sheratan.contracts import api
from sheratan.engine.commands import (
    BackfillSchedule,
    Cancel,
    CancelRun,
    ChangeState,
    Command,
    DeleteSchedule,
    Discard,
    KeepJobs,
    KeepRuns,
    LimitSpending,
    LimitStarts,
    OpenAccount,
    Pause,
    PauseSchedule,
    PriceKind,
    Resume,
    ResumeSchedule,
    TriggerSchedule,
    Unblock,
)
from sheratan.engine.retention_views import check_whose
from sheratan.gateway.approvals import decision_command

__all__ = ["ORDERS"]


def _backfill(request: api.BackfillSchedule) -> BackfillSchedule:
    return BackfillSchedule(
        name=request.name, from_us=request.from_us, until_us=request.until_us, dry_run=request.dry_run
    )


def _limit(subject: str, request: api.LimitQueue | api.LimitKind | api.LimitTenant) -> LimitStarts:
    return LimitStarts(subject=subject, limits=request.limits, reason=request.reason)


def _keep(request: api.SetRetention) -> KeepJobs | KeepRuns:
    check_whose(request)
    keep_us = None if request.keep_seconds is None else request.keep_seconds * 1_000_000
    if request.workflow is not None:
        return KeepRuns(workflow=request.workflow, keep_us=keep_us, reason=request.reason)
    return KeepJobs(kind=request.kind or "", keep_us=keep_us, reason=request.reason)


def _open_account(request: api.OpenAccount) -> OpenAccount:
    return OpenAccount(account=request.account, unit=request.unit, scale=request.scale, reason=request.reason)


def _price(request: api.SetPrice) -> PriceKind:
    return PriceKind(
        kind=request.kind,
        unit=request.unit,
        amount=request.amount,
        metered=request.metered,
        worker_share=request.worker_share,
        reason=request.reason,
    )


def _price_no_more(request: api.RemovePrice) -> PriceKind:
    return PriceKind(kind=request.kind, unit=None, amount=None, metered=False, reason=request.reason)


def _budget(request: api.SetBudget) -> LimitSpending:
    return LimitSpending(
        subject=request.subject,
        unit=request.unit,
        per=request.per,
        amount=request.amount,
        reason=request.reason,
    )


def _budget_no_more(request: api.RemoveBudget) -> LimitSpending:
    return LimitSpending(
        subject=request.subject, unit=request.unit, per=None, amount=None, reason=request.reason
    )


ORDERS: Final[dict[type[api.Request], Callable[[Any], Command]]] = {
    api.CancelJob: lambda request: Cancel(id=request.id, reason=request.reason),
    api.UnblockJob: lambda request: Unblock(id=request.id, reason=request.reason),
    api.DiscardJob: lambda request: Discard(id=request.id, reason=request.reason),
    api.CancelRun: lambda request: CancelRun(id=request.id, reason=request.reason, keeps=request.keeps),
    api.DecideApproval: decision_command,
    api.DelegateApproval: decision_command,
    api.PauseQueue: lambda request: Pause(subject=f"queue:{request.queue}", reason=request.reason),
    api.PauseKind: lambda request: Pause(subject=f"kind:{request.kind}", reason=request.reason),
    api.PauseTenant: lambda request: Pause(subject=f"tenant:{request.tenant}", reason=request.reason),
    api.ResumeQueue: lambda request: Resume(subject=f"queue:{request.queue}"),
    api.ResumeKind: lambda request: Resume(subject=f"kind:{request.kind}"),
    api.ResumeTenant: lambda request: Resume(subject=f"tenant:{request.tenant}"),
    api.LimitQueue: lambda request: _limit(f"queue:{request.queue}", request),
    api.LimitKind: lambda request: _limit(f"kind:{request.kind}", request),
    api.LimitTenant: lambda request: _limit(f"tenant:{request.tenant}", request),
    api.PauseSchedule: lambda request: PauseSchedule(name=request.name, reason=request.reason),
    api.ResumeSchedule: lambda request: ResumeSchedule(name=request.name),
    api.BackfillSchedule: _backfill,
    api.TriggerSchedule: lambda request: TriggerSchedule(
        name=request.name, key=request.key, reason=request.reason
    ),
    api.SetRetention: _keep,
    api.OpenAccount: _open_account,
    api.SetPrice: _price,
    api.RemovePrice: _price_no_more,
    api.SetBudget: _budget,
    api.RemoveBudget: _budget_no_more,
    api.ChangeState: lambda request: ChangeState(
        to=request.to, reason=request.reason, expected=request.expected
    ),
    api.DeleteSchedule: lambda request: DeleteSchedule(name=request.name, reason=request.reason),
}
"""The command of each request."""
