"""The start of an engine: take over, say so, and decide about what the last one left running."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.ambient.zones import zone_rules
from sheratan.contracts.jobs import JobError
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import ENGINE
from sheratan.engine.batch import Batch
from sheratan.engine.ids import job_id
from sheratan.engine.settle import lose
from sheratan.engine.state import Held, newest_leases
from sheratan.engine.system import begin
from sheratan.kernel.canonical import canonical, digest
from sheratan.kernel.recovery import RECOVERY, decide_recovery
from sheratan.kernel.rules import decision

__all__ = ["set_policy", "start"]


def start(batch: Batch, version: str, epoch: int, limits: Limits) -> None:
    """Record the start and its decision; each attempt that was lost with the last engine is decided on its own."""
    state = batch.state
    leases = newest_leases(state.store)
    given = {"entries": state.head.seq, "clean": state.clean, "leases": len(leases)}
    verdict = decide_recovery(given)
    set_policy(batch, limits)
    entry = batch.unit.record(
        "engine.started",
        "engine",
        {"version": version, "epoch": epoch, "zones": zone_rules()},
        ENGINE,
        decision=decision(RECOVERY, given, verdict),
        previous=state.engine_entry,
    )
    state.engine_entry = entry
    begin(batch)
    jobs = batch.jobs([lease.number for lease in leases])
    for lease in leases:
        job = jobs[lease.number]
        state.hold(Held(lease, job, job_id(job), batch.monotonic_us, batch.monotonic_us))
    error = JobError(
        error_class="lost_lease", type="EngineRestarted", message="the engine stopped during the attempt"
    )
    for lease in leases:
        lose(batch, state.held[lease.number], error, cause=entry)


def set_policy(batch: Batch, limits: Limits) -> None:
    """Write the limits in force into the journal; every entry names the entry that set its policy."""
    data: dict[str, Any] = {"limits": msgspec.to_builtins(limits)}
    data["digest"] = digest(canonical(data["limits"]))
    batch.unit.policy = batch.unit.next_seq
    previous = batch.state.policy if batch.state.head.seq else None
    batch.state.policy = batch.unit.record("policy.set", "policy", data, ENGINE, previous=previous)
