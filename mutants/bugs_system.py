"""Planted bugs in the system's state, and in what it does not allow."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_SYSTEM = "engine/system.py"
_TABLES = "kernel/system.py"
_DECIDER = "engine/decider.py"

BUGS: Final = (
    Bug(
        "state-forgotten-by-a-start",
        "an engine that starts is operational, whatever state a person had brought the system into",
        "safety",
        "H2",
        (
            Change(
                "engine/state.py",
                "self.stand(store.system())",
                'self.stand(store.system()._replace(state="operational"))',
            ),
        ),
    ),
    Bug(
        "state-not-stored",
        "a change of the system's state is recorded, and its row stays as it was",
        "safety",
        "H4",
        (Change(_SYSTEM, "    batch.unit.system = row\n", ""),),
    ),
    Bug(
        "pause-ignored-at-dispatch",
        "jobs start while the system is paused",
        "safety",
        "H1",
        (
            Change(
                "engine/dispatch.py",
                'if state.allowed.dispatch != "allow" or not',
                'if (state.allowed.dispatch != "allow" and state.system.current != "paused") or not',
            ),
        ),
    ),
    Bug(
        "pause-prunes",
        "jobs are pruned while the system is paused or looked at",
        "safety",
        "H1",
        (
            Change(
                "engine/retention.py",
                'state.allowed.upkeep != "allow"',
                'state.system.current in ("recovery", "draining")',
            ),
        ),
    ),
    Bug(
        "halt-decides",
        "a halted system goes on to decide",
        "safety",
        "E17",
        (
            Change(
                _DECIDER,
                '        if self.state.allowed.settle != "allow":\n            return _decide_halted',
                '        if self.state.allowed.settle == "never":\n            return _decide_halted',
            ),
        ),
    ),
    Bug(
        "halt-deaf-to-workers",
        "workers that say that they are there while the system is halted are not heard",
        "liveness",
        "E9",
        (
            Change(
                _SYSTEM,
                '    Heartbeat,\n    LeaseJobs,\n    Probe,\n    RegisterWorker,\n    StartDraining,\n)\n"""',
                '    Probe,\n    RegisterWorker,\n    StartDraining,\n)\n"""',
            ),
        ),
    ),
    Bug(
        "halt-spins",
        "a halted engine wakes up at once for what has come due, again and again",
        "liveness",
        "E9",
        (
            Change(
                _DECIDER,
                '        if self.state.allowed.settle == "allow":\n',
                "        if self.state.allowed:\n",
            ),
        ),
    ),
    Bug(
        "resume-serves-nobody",
        "when the system is resumed nobody looks what may start now",
        "liveness",
        "E9",
        (
            Change(
                _SYSTEM,
                "    # What has come due meanwhile, and whoever waits, is seen to at once.\n    batch.more = True\n",
                "",
            ),
        ),
    ),
    Bug(
        "expected-not-compared",
        "a change of the state is made although it was asked for in another state",
        "safety",
        "H1",
        (Change(_TABLES, "if expected is not None and expected != state:", 'if expected == "starting":'),),
    ),
    Bug(
        "halt-into-work",
        "a halt is ended straight into work",
        "safety",
        "H1",
        (
            Change(
                _TABLES,
                '"halted": {"recovery": "system.changed",',
                '"halted": {"operational": "system.changed", "recovery": "system.changed",',
            ),
        ),
    ),
    Bug(
        "recovery-takes-in",
        "jobs come in while the system recovers",
        "safety",
        "H1",
        (
            Change(
                _TABLES,
                '"recovery": Allowed("refuse",',
                '"recovery": Allowed("allow",',
            ),
        ),
    ),
    Bug(
        "drain-lifts-the-pause",
        "a paused system that drains is operational after the next start",
        "safety",
        "H2",
        (
            Change(
                _SYSTEM,
                "_put(batch, row._replace(draining=None))",
                '_put(batch, row._replace(draining=None, state="operational"))',
            ),
        ),
    ),
)
