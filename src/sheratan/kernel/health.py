"""Health: how samples make a probe up or down, and how probes make the state of the system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from sheratan.contracts.health import ProbeHealth
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.system import DERIVED_STATES

__all__ = [
    "DERIVE",
    "ProbeState",
    "Sample",
    "affected_by_probes",
    "derive_state",
    "evolve",
    "reason_of_probes",
    "state_of_probes",
]

DERIVE: Final = "system.derive@1"

_FAILING_PERMILLE_MAX: Final = 500
"""What fails as often as it succeeds is down, though it never fails many times in a row."""

_WEIGHT: Final = 8
"""A sample's part in the moving averages, as one in so many."""

_NAMED_MAX: Final = 5


class Sample(msgspec.Struct, frozen=True):
    """What one look has found: when, how long it took, and what was wrong (None: nothing)."""

    at_us: int
    latency_us: int
    error: str | None = None


class ProbeState(msgspec.Struct, frozen=True):
    """What the samples of a probe have come to; failures and successes are those in a row."""

    health: ProbeHealth = "unknown"
    since_us: int | None = None
    failures: int = 0
    successes: int = 0
    failing_permille: int = 0
    latency_us: int = 0
    error: str | None = None


def evolve(state: ProbeState, sample: Sample, *, down_after: int, up_after: int) -> ProbeState:
    """The state after one more sample."""
    failed = sample.error is not None
    failures = state.failures + 1 if failed else 0
    successes = 0 if failed else state.successes + 1
    failing = _average(state.failing_permille, 1_000 if failed else 0)
    health: ProbeHealth = state.health
    if failures >= down_after or (failed and failing >= _FAILING_PERMILLE_MAX):
        health = "down"
    elif successes >= up_after:
        health = "up"
    return ProbeState(
        health=health,
        since_us=state.since_us if health == state.health else sample.at_us,
        failures=failures,
        successes=successes,
        failing_permille=failing,
        latency_us=_average(state.latency_us, sample.latency_us) if state.latency_us else sample.latency_us,
        error=sample.error,
    )


def _average(before: int, now: int) -> int:
    return before + (now - before) // _WEIGHT


@rule("system.derive", 1)
def derive_state(given: dict[str, Any]) -> Verdict:
    """Choose the state that probes lead to, or `keep`.

    Input: state, held_us (how long it has been so; 0 where nothing ever changed it), dwell_us, down (each with name,
    critical, error), unknown (how many probes have not been up or down yet). A state gets worse at once, and better
    once it has lasted, and every probe is known. What a person chose, the engine leaves as it is.
    """
    state, wanted = given["state"], state_of_probes(given["down"])
    if state not in DERIVED_STATES:
        return Verdict("keep", f"Only a person ends {state}.")
    if wanted == state:
        return Verdict("keep", f"The probes lead to {state}, and it is so.")
    if DERIVED_STATES.index(wanted) > DERIVED_STATES.index(state):
        return Verdict(wanted, f"The probes lead to {wanted}, which is worse than {state}.")
    if given["held_us"] < given["dwell_us"]:
        return Verdict("keep", f"The probes lead to {wanted}, and {state} has to last for longer.")
    if given["unknown"]:
        return Verdict("keep", f"The probes lead to {wanted}, and some are not known yet.")
    return Verdict(wanted, f"The probes lead to {wanted}, and {state} has lasted for long enough.")


def state_of_probes(down: Sequence[Mapping[str, Any]]) -> str:
    """The state by what is down alone."""
    if any(probe["critical"] for probe in down):
        return "degraded_critical"
    return "degraded_minor" if down else "operational"


def reason_of_probes(down: Sequence[Mapping[str, Any]]) -> str:
    """What is down, in a few words."""
    if not down:
        return "every probe succeeds again"
    named = [f"{probe['name']} ({probe['error']})" for probe in down[:_NAMED_MAX]]
    more = f" and {len(down) - _NAMED_MAX} more" if len(down) > _NAMED_MAX else ""
    return f"down: {', '.join(named)}{more}"


def affected_by_probes(down: Sequence[Mapping[str, Any]]) -> list[str]:
    """The services that do not work while these probes are down, in order."""
    return sorted({service for probe in down for service in probe["affects"]})
