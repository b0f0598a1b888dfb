"""The lives of jobs and of workflows' runs as transition tables; the docs draw their diagrams from them."""

from __future__ import annotations

from typing import Final, get_args

from sheratan.contracts.errors import InternalError
from sheratan.contracts.jobs import JobState
from sheratan.contracts.runs import RUN_ENDS

__all__ = [
    "JOB_TRANSITIONS",
    "OPEN_STATES",
    "RUN_TRANSITIONS",
    "TERMINAL_STATES",
    "check_run_transition",
    "check_transition",
    "node_end",
]

TERMINAL_STATES: Final[frozenset[str]] = frozenset({"succeeded", "failed", "cancelled"})
OPEN_STATES: Final[frozenset[str]] = frozenset(get_args(JobState)) - TERMINAL_STATES

JOB_TRANSITIONS: Final[dict[str, dict[str, str]]] = {
    "new": {
        "queued": "job.submitted",
        "scheduled": "job.submitted",
        "blocked": "job.submitted",
        "cancelled": "job.submitted",
    },
    "blocked": {
        "queued": "job.unblocked",
        "scheduled": "job.unblocked",
        "failed": "job.failed",
        "cancelled": "job.cancelled",
    },
    "scheduled": {"queued": "job.due", "failed": "job.failed", "cancelled": "job.cancelled"},
    "queued": {"running": "worker.leased", "failed": "job.failed", "cancelled": "job.cancelled"},
    "running": {
        "succeeded": "job.succeeded",
        "failed": "job.failed",
        "cancelled": "job.cancelled",
        "scheduled": "job.retried",
        "queued": "job.requeued",
        "waiting": "job.waiting",
        "blocked": "job.blocked",
    },
    "waiting": {"queued": "job.woken", "failed": "job.failed", "cancelled": "job.cancelled"},
    "succeeded": {},
    "failed": {},
    "cancelled": {},
}
"""From a state to each state it may become, with the entry type that says so. `new` is before the first entry."""

_ALLOWED: Final = frozenset(
    (source, target, entry_type)
    for source, targets in JOB_TRANSITIONS.items()
    for target, entry_type in targets.items()
)


def check_transition(source: str, target: str, entry_type: str) -> None:
    """Raise InternalError when a job may not go from `source` to `target` by this entry; change nothing."""
    if (source, target, entry_type) not in _ALLOWED:
        raise InternalError(f"a job may not go from {source} to {target} by {entry_type}")


_ENDED: Final = dict.fromkeys(RUN_ENDS, "workflow.ended")

RUN_TRANSITIONS: Final[dict[str, dict[str, str]]] = {
    "new": {"running": "workflow.started"},
    "running": {
        "succeeded": "workflow.ended",
        "failed": "workflow.ended",
        "blocked": "workflow.blocked",
        "stopping": "workflow.stopping",
        "compensating": "workflow.compensating",
    },
    "blocked": {"stopping": "workflow.stopping"},
    "stopping": {
        "cancelled": "workflow.ended",
        "out_of_jobs": "workflow.ended",
        "out_of_depth": "workflow.ended",
        "out_of_time": "workflow.ended",
        "out_of_funds": "workflow.ended",
        "compensating": "workflow.compensating",
    },
    "compensating": {state: entry_type for state, entry_type in _ENDED.items() if state != "succeeded"},
    **{state: {} for state in RUN_ENDS},
}
"""The same for a run; an entry of another type leaves a run's state as it is."""


def node_end(state: str) -> str:
    """How a node ends whose run has ended in this state: as one whose job has."""
    return state if state in ("succeeded", "cancelled") else "failed"


def check_run_transition(source: str, target: str, entry_type: str) -> None:
    """Raise InternalError when a run may not go from `source` to `target` by this entry; change nothing."""
    if RUN_TRANSITIONS[source].get(target) != entry_type:
        raise InternalError(f"a run may not go from {source} to {target} by {entry_type}")
