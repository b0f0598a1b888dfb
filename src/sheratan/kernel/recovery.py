"""What does an engine do at its start with what an earlier one left behind?"""

from __future__ import annotations

from typing import Any

from sheratan.kernel.rules import Verdict, rule

__all__ = ["RECOVERY", "decide_recovery"]

RECOVERY = "engine.recovery@1"


@rule("engine.recovery", 1)
def decide_recovery(given: dict[str, Any]) -> Verdict:
    """Choose `fresh`, `resume` or `take_over`.

    Input: entries (in the journal), clean (whether the last engine said that it stopped), leases (held by workers
    that ended with the last engine).
    """
    if not given["entries"]:
        return Verdict("fresh", "Started on an empty data directory.")
    if given["clean"] and not given["leases"]:
        return Verdict(
            "resume", f"Resumed after a clean stop, with {given['entries']} entries in the journal."
        )
    return Verdict(
        "take_over",
        f"Took over from an engine that did not stop cleanly: {given['leases']} attempts were lost with its workers"
        " and each is decided on its own.",
    )
