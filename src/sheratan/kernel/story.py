"""Entries told as sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from sheratan.contracts.journal import Entry
from sheratan.kernel.code import tell_difference
from sheratan.kernel.story_alerts import ALERT_TELLERS
from sheratan.kernel.story_approvals import APPROVAL_TELLERS
from sheratan.kernel.story_gates import tell_gate, tell_throttled
from sheratan.kernel.story_ledger import LEDGER_TELLERS
from sheratan.kernel.story_proposals import tell_by_job, tell_proposed
from sheratan.kernel.story_retention import RETENTION_TELLERS
from sheratan.kernel.story_schedules import SCHEDULE_TELLERS
from sheratan.kernel.story_system import SYSTEM_TELLERS
from sheratan.kernel.story_words import amounts, who, with_reason
from sheratan.kernel.story_workflows import WORKFLOW_TELLERS
from sheratan.kernel.words import count, seconds

__all__ = ["tell"]


def _submitted(entry: Entry) -> str:
    data = entry.data
    text = f"{who(entry)} submitted it as a job of kind {data['kind']} for queue {data['queue']},"
    text += f" priority {data['priority']}."
    if "firing" in data:
        text += f" Firing {data['firing']} of schedule {data['schedule']} submitted it."
    text += tell_by_job(entry)
    if "workflow" in data:
        text += f" It {_part(data)}."
    if "origin" in data:
        text += f" It runs {data['origin']} again.{_bulk(entry)}"
    if "tags" in data:
        text += f" Its tags are {', '.join(data['tags'])}."
    if "traceparent" in data:
        text += f" It goes on with trace {data['traceparent'][3:35]}."
    if "cost" in data:
        text += f" Where a rate limits its start it counts for {data['cost']}."
    if "deadline_us" in data:
        text += f" It fails unless it has ended within {seconds(data['deadline_us'] - entry.at)}."
    if "after" in data:
        text += f" It is to run after {count(len(data['after']), 'other job')}."
    return text + _among(data) + tell_gate(data)


def _among(data: dict[str, Any]) -> str:
    """Among which jobs it is one."""
    text = f" It is one of version {data['version']} of its kind." if "version" in data else ""
    text += f" It is one of partition {data['partition']}." if "partition" in data else ""
    return text + (f" All of its attempts may cost {amounts(data['budget'])}." if "budget" in data else "")


def _bulk(entry: Entry) -> str:
    """Which bulk operation runs a job again; jobs of runs and firings have causes of another kind."""
    return "" if entry.cause is None else f" The bulk operation bulk:{entry.cause} is the cause."


def _part(data: dict[str, Any]) -> str:
    """What a job is in a run."""
    node = f"node {data['node']} of {data['workflow']}"
    if data.get("undoes"):
        return f"compensates {node}"
    return f"is item {data['item']} of {node}" if "item" in data else f"is {node}"


def _refused(entry: Entry) -> str:
    return f"A job of kind {entry.data['kind']} of {who(entry)} was not taken in."


def _leased(entry: Entry) -> str:
    return f"{entry.subject} was given {count(len(entry.data['jobs']), 'job')} under fence {entry.seq}."


def _failed_attempt(verb: str) -> Callable[[Entry], str]:
    def told(entry: Entry) -> str:
        data = entry.data
        error = data.get("error")
        attempt = f"Attempt {data['attempt']}" if data.get("attempt") else "It"
        reason = f" with {error['type']} ({error['class']})" if error else ""
        return f"{attempt} {verb}{reason}."

    return told


def _registered(entry: Entry) -> str:
    kinds = ", ".join(entry.data["kinds"]) or "nothing"
    return f"The worker came on duty with {entry.data['slots']} slots for {kinds}."


def _ended_worker(entry: Entry) -> str:
    return f"The worker went off duty ({entry.data['reason']}) and held {count(entry.data['held'], 'job')}."


def _bounds(limits: dict[str, Any]) -> Iterator[str]:
    if "concurrency" in limits:
        yield f"at most {count(limits['concurrency'], 'job')} at once"
    if "rate" in limits:
        starts, period_us, burst = limits["rate"]
        yield f"{count(starts, 'start')} in {seconds(period_us)} with bursts of {burst}"


def _limited(entry: Entry) -> str:
    limits, reason = entry.data["limits"], entry.data.get("reason")
    parts = [*_bounds(limits)]
    if "weight" in limits:
        parts.append(f"weight {limits['weight']}")
    if "ageing_us" in limits:
        parts.append(f"a step of priority for {seconds(limits['ageing_us'])} without a start")
    parts += [f"{bound} of each partition" for bound in _bounds(limits.get("per_partition", {}))]
    told = ", ".join(parts) or "no limits"
    if entry.data.get("declared"):
        return f"The worker of {who(entry)} offers {entry.subject} with {told}."
    return f"{who(entry)} set {told} for {entry.subject}{f': {reason}' if reason else ''}."


def _blocked(entry: Entry) -> str:
    return f"Its code has changed: {tell_difference(entry.data['difference'])}. It gave its slot back."


def _unblocked(entry: Entry) -> str:
    if "attempt" in entry.data:
        reason = entry.data.get("reason")
        why = f": {reason}" if reason else ""
        by = "" if entry.actor == "engine" else f" {who(entry)} let it go on{why}."
        return f"It is blocked no longer, and goes on in its queue.{by}"
    return f"{entry.data['ended']} ended as {entry.data['state']}, the last job it waited for."


def _due(entry: Entry) -> str:
    return f"Its waiting time was over; attempt {entry.data['attempt']} may start."


def _fenced_off(entry: Entry) -> str:
    return f"A late report ({entry.data['outcome']}) came with a stale fence and changed nothing."


def _step(entry: Entry) -> str:
    data = entry.data
    again = f", occurrence {data['occurrence']}," if "occurrence" in data else ""
    if entry.type == "step.succeeded":
        return f"Step {data['step']}, {data['name']}{again} was recorded: its output has digest {data['output'][:12]}."
    error = data["error"]
    return f"Step {data['step']}, {data['name']}{again} was recorded as failed with {error['type']} ({error['class']})."


def _replayed(entry: Entry) -> str:
    reason, edited = entry.data.get("reason"), entry.data.get("edited", ())
    text = f"{who(entry)} had it run again as {entry.data['as']}"
    if edited:
        text += f" with another {', '.join(edited)}"
    return f"{text}{f': {reason}' if reason else ''}."


def _bulk_started(entry: Entry) -> str:
    data = entry.data
    wanted = data["filter"]
    meant = ", ".join(f"{name} {wanted[name]}" for name in sorted(wanted)) or "all"
    limit = f", {data['limit']} at most" if "limit" in data else ""
    reason = data.get("reason")
    text = f"{who(entry)} began a bulk {data['action']} of jobs ({meant}{limit})"
    return f"{text}{f': {reason}' if reason else ''}."


def _waits(entry: Entry) -> str:
    begun = [_awaited(wait) for wait in entry.data["begun"]]
    return f"Its handler waits for {' or '.join(begun)}." if begun else "Its handler waits for the rest."


def _awaited(wait: dict[str, Any]) -> str:
    if wait["what"] == "approval":
        return str(wait["key"])
    if wait["what"] == "signal":
        return f"the signal {wait['key']}"
    return f"{count(len(wait['jobs']), 'job')} to end" if wait["what"] == "jobs" else "the end of a sleep"


_TELLERS: Final[dict[str, Callable[[Entry], str]]] = {
    **SYSTEM_TELLERS,
    "worker.registered": _registered,
    "worker.leased": _leased,
    "worker.ended": _ended_worker,
    "queue.paused": with_reason("paused the queue"),
    "queue.resumed": with_reason("resumed the queue"),
    "kind.paused": with_reason("paused the kind"),
    "kind.resumed": with_reason("resumed the kind"),
    "tenant.paused": with_reason("paused the tenant"),
    "tenant.resumed": with_reason("resumed the tenant"),
    "flow.limited": _limited,
    "job.submitted": _submitted,
    "job.refused": _refused,
    "job.throttled": tell_throttled,
    "job.proposed": tell_proposed,
    "job.due": _due,
    "job.unblocked": _unblocked,
    "job.succeeded": lambda entry: f"Its output has digest {entry.data['output'][:12]}.",
    "job.failed": _failed_attempt("failed for good"),
    "job.timed_out": _failed_attempt("ran out of time"),
    "job.retried": _failed_attempt("failed"),
    "job.requeued": _failed_attempt("ended early"),
    "job.cancel_requested": with_reason("asked for it to be cancelled"),
    "job.cancelled": lambda entry: _cancelled(entry),
    "job.fenced_off": _fenced_off,
    "job.waiting": _waits,
    "job.blocked": _blocked,
    "job.woken": lambda entry: "What it waited for has come; it goes on in its queue.",
    "job.replayed": _replayed,
    "job.discarded": with_reason("discarded it"),
    "bulk.started": _bulk_started,
    "bulk.ended": lambda entry: "The bulk operation is over.",
    "signal.sent": lambda entry: f"{who(entry)} sent it the signal {entry.data['name']}.",
    "step.succeeded": _step,
    "step.failed": _step,
    **SCHEDULE_TELLERS,
    **ALERT_TELLERS,
    **APPROVAL_TELLERS,
    **WORKFLOW_TELLERS,
    **RETENTION_TELLERS,
    **LEDGER_TELLERS,
}


def _cancelled(entry: Entry) -> str:
    if "superseded_by" in entry.data:
        return f"{entry.data['superseded_by']} has taken its place."
    if entry.actor == "engine":
        return "It was cancelled by the engine."
    return with_reason("cancelled it")(entry)


def tell(entry: Entry) -> str:
    """One or two sentences that say what an entry records and, if a rule decided, why."""
    told = _TELLERS[entry.type](entry)
    because: Any = entry.decision.get("because") if entry.decision else None
    if entry.type == "job.succeeded":
        return f"{because} {told}"
    return f"{told} {because}" if because else told
