"""May a job that is blocked because its code has changed try again?"""

from __future__ import annotations

from typing import Any

from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count

__all__ = ["UNBLOCK", "decide_unblock", "tell_difference"]

UNBLOCK = "code.unblock@1"


@rule("code.unblock", 1)
def decide_unblock(given: dict[str, Any]) -> Verdict:
    """Choose `unblock` or `keep`.

    Input: asked (a person asks for it), blocked_by (the code that has blocked the job, as digests) and on_duty (the
    code of the workers on duty that offer its version of its kind). By itself it goes on when there is other code on
    duty and none that has blocked it, so that it cannot come to such code again.
    """
    if given["asked"]:
        return Verdict("unblock", "It tries again because a person asked for it.")
    blocked_by, on_duty = set(given["blocked_by"]), set(given["on_duty"])
    again = len(on_duty & blocked_by)
    if again:
        return Verdict(
            "keep", f"It stays blocked: workers on duty still have {_states(again)} that blocked it."
        )
    if not on_duty:
        return Verdict("keep", "It stays blocked: no worker on duty offers its kind.")
    return Verdict(
        "unblock", f"It tries again: the workers on duty have {_states(len(on_duty), 'other ')} only."
    )


def _states(number: int, other: str = "") -> str:
    return count(number, f"{other}state") + " of the code"


def tell_difference(difference: dict[str, Any]) -> str:
    """In words where a handler does otherwise than what its job has recorded."""
    occurrence = difference.get("occurrence", 1)
    again = f" (occurrence {occurrence})" if occurrence > 1 else ""
    text = f"step {difference['step']} is recorded as {difference['recorded']}{again}"
    asked = ", ".join(difference.get("asked", ()))
    return {
        "missing": f"{text}, and the handler ends without asking for it",
        "order": f"{text}, and the handler asks for {asked} before it",
        "other": f"{text}, and the handler asks for {asked} instead",
        "output": f"{text}, and its output is not of its type any more ({asked})",
    }[difference["what"]]
