"""The system's state: its table of moves, what each state allows, and the rule of a change."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, get_args

from sheratan.contracts.system import Action, Answer, SystemState
from sheratan.kernel.rules import Verdict, rule

__all__ = [
    "ALLOWED",
    "CHANGE",
    "DERIVED_STATES",
    "FORBIDDEN",
    "SYSTEM_TRANSITIONS",
    "UNCHANGED",
    "WAYS_OUT",
    "Allowed",
    "SystemFact",
    "change_state",
    "intake_word",
    "services_in",
]

CHANGE: Final = "system.transition@1"

DERIVED_STATES: Final = ("operational", "degraded_minor", "degraded_critical")
"""The states between which the engine itself may move; a person's state stays until a person ends it."""

_LASTING: Final = (*DERIVED_STATES, "reflective", "recovery", "paused", "halted")
"""The states that outlast a process."""


def _moves(*targets: str) -> dict[str, str]:
    """A state that may become any of these, and that a stop ends."""
    return {**dict.fromkeys(targets, "system.changed"), "draining": "engine.draining"}


SYSTEM_TRANSITIONS: Final[dict[str, dict[str, str]]] = {
    "starting": dict.fromkeys(_LASTING, "engine.started"),
    "operational": _moves(
        "degraded_minor", "degraded_critical", "reflective", "recovery", "paused", "halted"
    ),
    "degraded_minor": _moves(
        "operational", "degraded_critical", "reflective", "recovery", "paused", "halted"
    ),
    "degraded_critical": _moves(
        "operational", "degraded_minor", "reflective", "recovery", "paused", "halted"
    ),
    "reflective": _moves(*DERIVED_STATES, "recovery", "paused", "halted"),
    "recovery": _moves(*DERIVED_STATES, "paused", "halted"),
    "paused": _moves(*DERIVED_STATES, "recovery", "halted"),
    "halted": {"recovery": "system.changed", "paused": "system.changed"},
    "draining": {"halted": "system.changed", "starting": "engine.stopped"},
}
"""From a state to each state it may become, with the entry type that says so.

`starting` is before the first entry of an engine, which finds the state as the last one has left it, but for its
draining.
"""


class SystemFact(NamedTuple):
    """The state that outlasts a process, and whether the engine at work drains."""

    state: SystemState
    since_us: int | None
    reason: str
    actor: str | None
    entry: int | None
    """The newest entry about it; None, with the instant and the actor, as long as nothing has changed it."""
    affected: str
    """The services that do not work, separated by commas."""
    draining: int | None
    """The entry by which the engine at work has begun to drain."""

    @property
    def current(self) -> SystemState:
        """The state that decides what may happen now."""
        return self.state if self.draining is None else "draining"


def services_in(affected: str) -> list[str]:
    """The services that a fact names as affected, separated by commas."""
    return affected.split(",") if affected else []


UNCHANGED: Final = SystemFact("operational", None, "", None, None, "", None)
"""The state of a system that nothing was ever said of."""


class Allowed(NamedTuple):
    """What a state allows."""

    intake: Answer
    dispatch: Answer
    settle: Answer
    admin: Answer
    upkeep: Answer


ALLOWED: Final[dict[str, Allowed]] = {
    "starting": Allowed("refuse", "defer", "refuse", "refuse", "defer"),
    "operational": Allowed("allow", "allow", "allow", "allow", "allow"),
    "degraded_minor": Allowed("allow", "allow", "allow", "allow", "allow"),
    "degraded_critical": Allowed("allow", "defer", "allow", "allow", "allow"),
    "reflective": Allowed("allow", "allow", "allow", "allow", "defer"),
    "recovery": Allowed("refuse", "defer", "allow", "allow", "defer"),
    "paused": Allowed("allow", "defer", "allow", "allow", "defer"),
    "halted": Allowed("refuse", "defer", "refuse", "refuse", "defer"),
    "draining": Allowed("refuse", "defer", "allow", "allow", "defer"),
}

WAYS_OUT: Final[dict[str, str]] = {
    "degraded_critical": "It ends by itself once what is affected works again, or at once by `sheratan state resume`.",
    "reflective": "`sheratan state resume` ends it.",
    "recovery": "`sheratan state resume` lets everything go on.",
    "paused": "`sheratan state resume` lets everything go on.",
    "halted": "Look at what is stored (`sheratan journal verify`), then `sheratan state recover`.",
    "draining": "It goes on with the next start of the server.",
}
"""How a state that stops something ends."""


def intake_word(state: str) -> str:
    """What admission is told of a state: `open`, or what the engine is that takes nothing in."""
    if ALLOWED[state].intake == "allow":
        return "open"
    return "in recovery" if state == "recovery" else state


_DONE: Final[dict[Action, tuple[str, ...]]] = {
    "intake": ("job.submitted", "workflow.started", "workflow.forked"),
    "dispatch": ("worker.leased", "schedule.fired"),
    "settle": (
        "job.succeeded",
        "job.waiting",
        "job.due",
        "step.succeeded",
        "step.failed",
        "ledger.expired",
        "alert.raised",
        "alert.cleared",
        "alert.notified",
    ),
    "admin": (
        "job.cancel_requested",
        "job.replayed",
        "job.discarded",
        "signal.sent",
        "bulk.started",
        "queue.paused",
        "queue.resumed",
        "kind.paused",
        "kind.resumed",
        "tenant.paused",
        "tenant.resumed",
        "schedule.created",
        "schedule.changed",
        "schedule.paused",
        "schedule.resumed",
        "schedule.deleted",
        "approval.voted",
        "approval.delegated",
        "retention.set",
        "ledger.account_opened",
        "ledger.transferred",
        "journal.kept",
        "price.set",
        "budget.set",
        "journal.archived",
    ),
    "upkeep": ("retention.pruned", "retention.runs_pruned"),
}
"""The types of entries that nothing but an action makes; others may follow from what was done before."""

FORBIDDEN: Final[dict[str, frozenset[str]]] = {
    state: frozenset(
        entry_type
        for action, answer in zip(get_args(Action), allowed, strict=True)
        if answer != "allow"
        for entry_type in _DONE[action]
    )
    for state, allowed in ALLOWED.items()
}
"""By state, the types of entries that must not be recorded in it."""


@rule("system.transition", 1)
def change_state(given: dict[str, Any]) -> Verdict:
    """Choose `change`, `keep` or `refuse`.

    Input: state, to, has_reason, operator (whether a person asks); and expected, the state that it was asked from,
    if that was said.
    """
    state, to, expected = given["state"], given["to"], given.get("expected")
    if state == to:
        return Verdict("keep", f"The system is {state} already.")
    if expected is not None and expected != state:
        return Verdict("refuse", f"Refused: it was asked for while the system was {expected}; it is {state}.")
    if SYSTEM_TRANSITIONS[state].get(to) != "system.changed":
        return Verdict("refuse", f"Refused: from {state} no way leads to {to}.")
    if not given["has_reason"]:
        return Verdict("refuse", "Refused: no reason was given.")
    if not given["operator"] and to != "halted" and not (state in DERIVED_STATES and to in DERIVED_STATES):
        return Verdict("refuse", f"Refused: only a person brings the system from {state} to {to}.")
    return Verdict("change", f"The way from {state} to {to} is open.")
