"""The system's state: who changes it, what it lets the decider do, and what it says to those whom it refuses."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec

from sheratan.contracts.errors import Conflict, SheratanError, StateRefuses
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import (
    ChangeState,
    Command,
    DeriveState,
    Heartbeat,
    LeaseJobs,
    Probe,
    RegisterWorker,
    StartDraining,
)
from sheratan.engine.words import check_reason
from sheratan.kernel.health import DERIVE, affected_by_probes, derive_state, reason_of_probes
from sheratan.kernel.rules import decision
from sheratan.kernel.system import CHANGE, WAYS_OUT, SystemFact, change_state

__all__ = [
    "ask_for_change",
    "ask_for_derivation",
    "begin",
    "change_states",
    "check_halted",
    "derivation",
    "drain",
    "halt",
    "lift_draining",
    "probe",
    "refuse_intake",
]

_REASON_LENGTH_MAX: Final = 1_000

_SINCE_A_HALT: Final[tuple[type[Command], ...]] = (
    ChangeState,
    Heartbeat,
    LeaseJobs,
    Probe,
    RegisterWorker,
    StartDraining,
)
"""What is heard while the system is halted: who is there, and the way out."""


def ask_for_change(batch: Batch, command: ChangeState, by: Principal) -> None:
    """Note that a change is asked for: it is decided once all else in the batch is, and holds from the next one on."""
    check_reason(command.reason)
    batch.transitions.append((len(batch.answers), partial(_change, batch, command, by)))


def ask_for_derivation(batch: Batch, command: DeriveState, by: Principal) -> None:
    """Note that the state is to follow from probes, likewise."""
    batch.transitions.append((len(batch.answers), partial(_derive, batch, command, by)))


def change_states(batch: Batch) -> None:
    """Decide the changes that were asked for, in order; each is answered with whether it has changed anything."""
    for place, change in batch.transitions:
        pending, value, error = batch.answers[place]
        try:
            value = change()
        except SheratanError as refusal:
            error = refusal
        batch.answers[place] = pending, value, error


def _change(
    batch: Batch, command: ChangeState, by: Principal, evidence: dict[str, Any] | None = None
) -> bool:
    row = batch.state.system
    given: dict[str, Any] = {
        "state": row.current,
        "to": command.to,
        "has_reason": bool(command.reason.strip()),
        "operator": by.actor != ENGINE.actor,
    }
    if command.expected is not None:
        given["expected"] = command.expected
    verdict = change_state(given)
    if verdict.chosen == "keep":
        return False
    if verdict.chosen == "refuse":
        raise Conflict(f"{verdict.because} {WAYS_OUT.get(row.current, '')}".rstrip(), field="to")
    data: dict[str, Any] = {"to": command.to, "reason": command.reason}
    if evidence:
        data["evidence"] = evidence
    _record(batch, data, by, decision(CHANGE, given, verdict))
    return True


def derivation(row: SystemFact, at_us: int, command: DeriveState) -> dict[str, Any]:
    """What the rule is told that derives the state from probes."""
    return {
        "state": row.current,
        "held_us": 0 if row.since_us is None else at_us - row.since_us,
        **msgspec.to_builtins(command),
    }


def _derive(batch: Batch, command: DeriveState, by: Principal) -> bool:
    given = derivation(batch.state.system, batch.at_us, command)
    verdict = derive_state(given)
    if verdict.chosen == "keep":
        return False
    data: dict[str, Any] = {"to": verdict.chosen, "reason": reason_of_probes(given["down"])}
    if given["down"]:
        data["affected"] = affected_by_probes(given["down"])
    _record(batch, data, by, decision(DERIVE, given, verdict))
    return True


def _record(batch: Batch, data: dict[str, Any], by: Principal, decided: dict[str, Any]) -> None:
    """The system goes into another state."""
    row = batch.state.system
    entry = batch.unit.record(
        "system.changed",
        "system",
        {"from": row.current, **data},
        by,
        decision=decided,
        previous=row.entry,
    )
    affected = ",".join(data.get("affected", ()))
    _put(batch, SystemFact(data["to"], batch.at_us, data["reason"], by.actor, entry, affected, None))
    # What has come due meanwhile, and whoever waits, is seen to at once.
    batch.more = True


def probe(batch: Batch, command: Probe, by: Principal) -> None:
    """Answer; and have a commit made, unless the system has halted, which writes nothing that need not be."""
    if command.commits and batch.state.allowed.settle == "allow":
        batch.unit.pulse = True


def begin(batch: Batch) -> None:
    """An engine starts: the one before it does not drain any more; a halt that it could not write down is."""
    lift_draining(batch)
    latch = batch.state.store.latch()
    if latch is not None:
        halt(batch, latch.reason, {"latched_us": latch.at_us})


def halt(batch: Batch, reason: str, evidence: dict[str, Any] | None = None) -> None:
    """The engine can go on no further: only a person can say how."""
    _change(batch, ChangeState(to="halted", reason=reason[:_REASON_LENGTH_MAX]), ENGINE, evidence)


def drain(batch: Batch, command: StartDraining, by: Principal) -> None:
    """Take nothing in and start nothing more. A system that has halted does neither, and goes on to be halted."""
    row = batch.state.system
    if row.current in ("draining", "halted"):
        return
    entry = batch.unit.record(
        "engine.draining", "engine", {"reason": command.reason}, by, previous=batch.state.engine_entry
    )
    batch.state.engine_entry = entry
    _put(batch, row._replace(draining=entry))


def lift_draining(batch: Batch) -> None:
    """The engine that has begun to drain has ended."""
    row = batch.state.system
    if row.draining is not None:
        _put(batch, row._replace(draining=None))


def refuse_intake(batch: Batch, because: str) -> StateRefuses:
    """The refusal of what does not come in."""
    state = batch.state.system.current
    return StateRefuses(f"{because} {WAYS_OUT[state]}", field="intake", state=state)


def check_halted(batch: Batch, command: Command) -> None:
    """Refuse what the system does not hear while it is halted."""
    if type(command) not in _SINCE_A_HALT:
        row = batch.state.system
        text = f"Refused: the system is halted: {row.reason}. {WAYS_OUT['halted']}"
        raise StateRefuses(text, field="state", state="halted")


def _put(batch: Batch, row: SystemFact) -> None:
    batch.unit.system = row
    batch.state.stand(row)
