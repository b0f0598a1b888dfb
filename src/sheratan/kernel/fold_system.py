"""The fold of entries about the system: how it stands, and whether what is recorded was allowed then."""

from __future__ import annotations

from typing import Any, Final

from sheratan.contracts.journal import Entry
from sheratan.contracts.principal import ENGINE
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_groups import GroupFold
from sheratan.kernel.health import DERIVE, affected_by_probes, reason_of_probes, state_of_probes
from sheratan.kernel.system import (
    ALLOWED,
    CHANGE,
    DERIVED_STATES,
    FORBIDDEN,
    SYSTEM_TRANSITIONS,
    UNCHANGED,
    SystemFact,
)

__all__ = ["SystemFold"]

_STEPS: Final = ("step.succeeded", "step.failed")


class SystemFold(GroupFold):
    """What entries make of the system's state, and which entries it does not allow."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.system = UNCHANGED
        self.forbidden: frozenset[str] = frozenset()
        """The types of entries that the state does not allow."""
        self.ringing_us = 0
        """Since when instants are noticed as they come: an engine has started, its clock was set, a state allows it."""

    @property
    def rings(self) -> bool:
        """Whether time brings anything."""
        return ALLOWED[self.system.current].settle == "allow"

    @property
    def fires(self) -> bool:
        """Whether schedules fire."""
        return ALLOWED[self.system.current].dispatch == "allow"

    def stand(self, fact: SystemFact) -> None:
        """From now on the system stands so."""
        self.system, self.forbidden = fact, FORBIDDEN[fact.current]

    def check_allowed(self, entry: Entry) -> None:
        """An entry of a type that the state forbids, and that does not follow from what was done before."""
        # What attempts cost follows from their starts and ends: the fold of billing looks for these.
        if entry.type == "ledger.transferred" and "attempts" in entry.data:
            return
        # An engine that starts says of what was lost that it has ended, and who waited for nothing else goes on.
        is_woken = entry.type in _STEPS and entry.actor == ENGINE.actor
        if not (is_woken and entry.at == self.ringing_us):
            self.say(entry, "H1", f"the system is {self.system.current}, which allows no {entry.type}")

    def system_changed(self, entry: Entry) -> None:
        """The system goes from one state to another."""
        known, data = self.system, entry.data
        self.check_previous(entry, known.entry)
        source, target, reason = data["from"], data["to"], data["reason"]
        if source != known.current:
            self.say(entry, "H1", f"it goes from {source}, and the system is {known.current}")
        if SYSTEM_TRANSITIONS[known.current].get(target) != entry.type:
            self.say(entry, "H1", f"the system may not go from {known.current} to {target}")
        if entry.actor == ENGINE.actor and target != "halted" and not _is_derived(known.current, target):
            self.say(entry, "H2", f"only a person brings the system from {known.current} to {target}")
        if not reason.strip():
            self.say(entry, "H4", "it names no reason")
        self._check_change(entry, target)
        affected = ",".join(data.get("affected", ()))
        self.stand(SystemFact(target, entry.at, reason, entry.actor, entry.seq, affected, None))
        self.ringing_us = entry.at

    def _check_change(self, entry: Entry, target: str) -> None:
        decided = decision_of(entry)
        if decided["rule"] == DERIVE:
            self._check_derived(entry, decided, target)
            return
        given, known = decided["input"], self.system.current
        if decided["rule"] != CHANGE or decided["chosen"] != "change":
            self.say(entry, "E14", f"{decided['chosen']} was chosen by {decided['rule']}, and it was changed")
        told = given["state"], given["to"], given["operator"], given.get("expected", known)
        if told != (known, target, entry.actor != ENGINE.actor, known):
            self.say(entry, "H4", f"the decision was told {told} of a change from {known} to {target}")

    def _check_derived(self, entry: Entry, decided: dict[str, Any], target: str) -> None:
        """A change that probes have led to: the evidence leads there, and a better state was waited for."""
        given, down, known = decided["input"], decided["input"]["down"], self.system
        if entry.actor != ENGINE.actor or not _is_derived(known.current, target):
            self.say(
                entry, "H2", f"probes lead nobody but the engine, and not from {known.current} to {target}"
            )
        leads_to = state_of_probes(down)
        if not decided["chosen"] == target == leads_to:
            self.say(entry, "H4", f"{decided['chosen']} was chosen, and what was down leads to {leads_to}")
        held_us = 0 if known.since_us is None else entry.at - known.since_us
        told = given["state"], given["held_us"], entry.data["reason"], entry.data.get("affected", [])
        wanted = known.current, held_us, reason_of_probes(down), affected_by_probes(down)
        if told != wanted:
            self.say(entry, "H4", f"it tells of {told}, and it was {wanted}")
        if _is_better(known.current, target) and (given["unknown"] or held_us < given["dwell_us"]):
            self.say(entry, "H3", f"{known.current} has ended too soon")


def _is_better(source: str, target: str) -> bool:
    return _is_derived(source, target) and DERIVED_STATES.index(target) < DERIVED_STATES.index(source)


def _is_derived(source: str, target: str) -> bool:
    return source in DERIVED_STATES and target in DERIVED_STATES
