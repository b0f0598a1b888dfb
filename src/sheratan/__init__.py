"""Sheratan, the accountable orchestrator: durable jobs that can say why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sheratan.contracts.budgets import ProposalBudget
    from sheratan.contracts.errors import (
        DeadlineExceeded,
        DependencyUnavailable,
        InsufficientFunds,
        JobFailed,
        Overloaded,
        SheratanError,
        TransferRefused,
    )
    from sheratan.contracts.flow import FlowLimits, PartitionLimits, Rate
    from sheratan.contracts.gates import Debounce, Throttle
    from sheratan.contracts.groups import Collect
    from sheratan.contracts.guards import GuardSettings
    from sheratan.contracts.ledger import Transfer, transfer_id
    from sheratan.contracts.limits import Limits
    from sheratan.contracts.proposals import Proposal
    from sheratan.guards.guards import Guards
    from sheratan.sdk.approval import Approval
    from sheratan.sdk.children import Child
    from sheratan.sdk.client import Client, JobHandle
    from sheratan.sdk.context import Context, Ended
    from sheratan.sdk.deadline import deadline
    from sheratan.sdk.errors import (
        ApprovalChanged,
        ApprovalDenied,
        ApprovalExpired,
        ChildFailed,
        CodeChanged,
        Fatal,
        Overcharged,
        RateLimited,
        Retryable,
        StepFailed,
        WaitTimedOut,
    )
    from sheratan.sdk.kind import Kind, job
    from sheratan.sdk.proposals import ProposalOutcome, Rejected
    from sheratan.sdk.runs import RunHandle
    from sheratan.sdk.step_retry import StepRetry
    from sheratan.sdk.worker import Worker
    from sheratan.sdk.workflow import WorkflowBuilder, all_of, any_of, not_
    from sheratan.wiring.server import open_engine as open

__all__ = [
    "Approval",
    "ApprovalChanged",
    "ApprovalDenied",
    "ApprovalExpired",
    "Child",
    "ChildFailed",
    "Client",
    "CodeChanged",
    "Collect",
    "Context",
    "DeadlineExceeded",
    "Debounce",
    "DependencyUnavailable",
    "Ended",
    "Fatal",
    "FlowLimits",
    "GuardSettings",
    "Guards",
    "InsufficientFunds",
    "JobFailed",
    "JobHandle",
    "Kind",
    "Limits",
    "Overcharged",
    "Overloaded",
    "PartitionLimits",
    "Proposal",
    "ProposalBudget",
    "ProposalOutcome",
    "Rate",
    "RateLimited",
    "Rejected",
    "Retryable",
    "RunHandle",
    "SheratanError",
    "StepFailed",
    "StepRetry",
    "Throttle",
    "Transfer",
    "TransferRefused",
    "WaitTimedOut",
    "Worker",
    "WorkflowBuilder",
    "all_of",
    "any_of",
    "deadline",
    "job",
    "not_",
    "open",
    "transfer_id",
]


def __getattr__(name: str) -> Any:
    """Each name is loaded when it is first used: most commands need none, and a client needs no engine."""
    if name == "open":
        from sheratan.wiring.server import open_engine  # noqa: PLC0415 - see above

        return open_engine
    if name in __all__:
        for module in (*_sdk(), *_contracts()):
            if name in module.__all__:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _sdk() -> tuple[Any, ...]:
    from sheratan.guards import guards  # noqa: PLC0415 - see above
    from sheratan.sdk import (  # noqa: PLC0415
        approval,
        children,
        client,
        context,
        deadline,
        errors,
        kind,
        proposals,
        runs,
        step_retry,
        worker,
        workflow,
    )

    return (
        approval,
        children,
        client,
        context,
        deadline,
        errors,
        guards,
        kind,
        proposals,
        runs,
        step_retry,
        worker,
        workflow,
    )


def _contracts() -> tuple[Any, ...]:
    from sheratan.contracts import (  # noqa: PLC0415 - see above
        budgets,
        errors,
        flow,
        gates,
        groups,
        guards,
        ledger,
        limits,
        proposals,
    )

    return budgets, errors, flow, gates, groups, guards, ledger, limits, proposals
