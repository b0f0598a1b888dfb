"""Entries about runs of workflows told as sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sheratan.contracts.journal import Entry
from sheratan.kernel.story_words import amounts, who, with_reason
from sheratan.kernel.words import count

__all__ = ["WORKFLOW_TELLERS"]


def _started(entry: Entry) -> str:
    most = f" Its jobs may cost {amounts(entry.data['spend'])}." if "spend" in entry.data else ""
    return f"{who(entry)} started a run of workflow {entry.data['workflow']}{_beginning(entry)}.{most}"


def _beginning(entry: Entry) -> str:
    """What a run began for."""
    if "firing" in entry.data:
        return f" for firing {entry.data['firing']} of schedule:{entry.data['schedule']}"
    if "parent" in entry.data:
        item = f", item {entry.data['item']}," if "item" in entry.data else ""
        return f" for node {entry.data['node']}{item} of {entry.data['parent']}"
    return f", which continues {entry.data['origin']}" if "origin" in entry.data else ""


def _forked(entry: Entry) -> str:
    start = f" from node {entry.data['from']} on" if "from" in entry.data else ""
    return f"{who(entry)} continued the run as {entry.data['as']}{start}."


WORKFLOW_TELLERS: Final[dict[str, Callable[[Entry], str]]] = {
    "workflow.started": _started,
    "workflow.forked": _forked,
    "workflow.advanced": lambda entry: f"The run advanced to {count(entry.data['jobs'], 'job')}.",
    "workflow.blocked": lambda entry: "The run waits for a person.",
    "workflow.stopping": with_reason("stopped the run"),
    "workflow.compensating": lambda entry: f"It is to end as {entry.data['ending']}.",
    "workflow.ended": lambda entry: f"The run ended as {entry.data['state']}.",
}
"""By the type of entry."""
