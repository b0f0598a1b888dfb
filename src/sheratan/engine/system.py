"""The system's state: who changes it, what it lets the decider do, and what it says to those whom it refuses."""

from __future__ import annotations

from typing import Any, Final

from sheratan.contracts.errors import Conflict, SheratanError, StateRefuses
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import (
    ChangeState,
    Command,
    Heartbeat,
    LeaseJobs,
    RegisterWorker,
    StartDraining,
)
from sheratan.engine.words import check_reason
from sheratan.kernel.rules import decision
from sheratan.kernel.system import CHANGE, WAYS_OUT, SystemFact, change_state

__all__ = [
    "ask_for_change",
    "begin",
    "change_states",
    "check_halted",
    "drain",
    "halt",
    "lift_draining",
    "refuse_intake",
]

_REASON_LENGTH_MAX: Final = 1_000

_SINCE_A_HALT: Final[tuple[type[Command], ...]] = (
    ChangeState,
    Heartbeat,
    LeaseJobs,
    RegisterWorker,
    StartDraining,
)
"""What is heard while the system is halted: who is there, and the way out."""


def ask_for_change(batch: Batch, command: ChangeState, by: Principal) -> None:
    """Note that a change is asked for: it is decided once all else in the batch is, and holds from the next one on."""
    check_reason(command.reason)
    batch.transitions.append((len(batch.answers), command, by))


def change_states(batch: Batch) -> None:
    """Decide the changes that were asked for, in order; each is answered with whether it has changed anything."""
    for place, command, by in batch.transitions:
        pending, value, error = batch.answers[place]
        try:
            value = _change(batch, command, by)
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
    data: dict[str, Any] = {"from": row.current, "to": command.to, "reason": command.reason}
    if command.affected:
        data["affected"] = list(command.affected)
    if evidence:
        data["evidence"] = evidence
    entry = batch.unit.record(
        "system.changed",
        "system",
        data,
        by,
        decision=decision(CHANGE, given, verdict),
        previous=row.entry,
    )
    _put(
        batch,
        SystemFact(
            command.to, batch.at_us, command.reason, by.actor, entry, ",".join(command.affected), None
        ),
    )
    # What has come due meanwhile, and whoever waits, is seen to at once.
    batch.more = True
    return True


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
