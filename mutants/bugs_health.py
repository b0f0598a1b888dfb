"""Planted bugs in the probes, and in the state that they lead to."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_RULE: Final = "kernel/health.py"
_LOOP: Final = "engine/probing.py"
_PROBES: Final = "engine/probes.py"
_SYSTEM: Final = "engine/system.py"

BUGS: Final = (
    Bug(
        "critical-counts-as-minor",
        "what is down and critical makes the system degraded_minor",
        "safety",
        "H4",
        (
            Change(
                _RULE,
                'if any(probe["critical"] for probe in down):',
                "if not isinstance(down, (list, tuple)):",
            ),
        ),
    ),
    Bug(
        "dwell-ignored",
        "a degraded state ends as soon as everything is well",
        "safety",
        "H3",
        (Change(_RULE, 'if given["held_us"] < given["dwell_us"]:', 'if given["held_us"] < 0:'),),
    ),
    Bug(
        "unknown-counts-as-up",
        "a degraded state ends at a start, before anybody has looked",
        "safety",
        "H3",
        (Change(_RULE, 'if given["unknown"]:', 'if given["unknown"] < 0:'),),
    ),
    Bug(
        "held-since-ever",
        "the decision is told that a state has lasted since ever",
        "safety",
        "H3",
        (Change(_SYSTEM, "else at_us - row.since_us,", "else at_us,"),),
    ),
    Bug(
        "affected-not-recorded",
        "a change does not say which services do not work",
        "safety",
        "H4",
        (
            Change(
                _SYSTEM, '    if given["down"]:\n', '    if not isinstance(given["down"], (list, tuple)):\n'
            ),
        ),
    ),
    Bug(
        "probe-unheard-in-a-halt",
        "probes are refused while the system is halted, and so seem to be down when it has been left",
        "liveness",
        "E9",
        (
            Change(
                _SYSTEM,
                '    Probe,\n    RegisterWorker,\n    StartDraining,\n)\n"""',
                '    RegisterWorker,\n    StartDraining,\n)\n"""',
            ),
        ),
    ),
    Bug(
        "probes-look-once",
        "everything is looked at when a server starts, and never again",
        "liveness",
        "H3",
        (
            Change(
                _LOOP,
                "        while True:\n            began_us",
                "        for _ in range(1):\n            began_us",
            ),
        ),
    ),
    Bug(
        "silence-waited-for",
        "a dependency that says nothing is waited for without an end, and the round with it",
        "liveness",
        "H3",
        (
            Change(
                _PROBES,
                "        async with self._in_time():\n            await self._sensors.reach(address)\n",
                "        await self._sensors.reach(address)\n",
            ),
        ),
    ),
    Bug(
        "recovery-not-told",
        "the loop tells when it gets worse, and not when it gets better",
        "liveness",
        "E9",
        (Change(_LOOP, 'if chosen != "keep":', 'if chosen not in ("keep", "operational"):'),),
    ),
    Bug(
        "up-forgotten",
        "what was down once stays so",
        "liveness",
        "E9",
        (
            Change(
                _RULE,
                '        health = "up"\n',
                '        health = state.health if state.health == "down" else "up"\n',
            ),
        ),
    ),
)
