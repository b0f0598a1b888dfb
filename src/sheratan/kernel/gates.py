"""Submissions that come under the key of a gate: which of them make jobs, and when those start."""

from __future__ import annotations

from typing import Any, Final

from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count, seconds

__all__ = ["DEBOUNCE", "THROTTLE", "debounce", "debounced_us", "throttle"]

DEBOUNCE: Final = "job.debounce@1"
THROTTLE: Final = "job.throttle@1"


def debounced_us(now_us: int, since_us: int, window_us: int, longest_us: int) -> int:
    """When the newest of debounced jobs starts; the first of them came at `since_us`, and 0 is no bound."""
    due_us = now_us + window_us
    return max(now_us, min(due_us, since_us + longest_us)) if longest_us else due_us


@rule("job.debounce", 1)
def debounce(given: dict[str, Any]) -> Verdict:
    """Choose when the job starts that takes the place of a waiting one (`due_us`).

    Input: now_us, since_us (when the first of these jobs came), window_us, and longest_us unless nothing bounds how
    long starts are put off.
    """
    now_us, longest_us = given["now_us"], given.get("longest_us", 0)
    due_us = debounced_us(now_us, given["since_us"], given["window_us"], longest_us)
    bound = f", {seconds(longest_us)} after the first of them" if due_us < now_us + given["window_us"] else ""
    because = f"A later submission under its debounce key is to run instead, in {seconds(due_us - now_us)}"
    return Verdict({"due_us": due_us}, f"{because}{bound}.")


@rule("job.throttle", 1)
def throttle(given: dict[str, Any]) -> Verdict:
    """Choose `drop` or `take` for a submission in a period that goes on.

    Input: jobs (how many may be made in it), made (how many were), now_us and until_us (its end).
    """
    made, left_us = given["made"], given["until_us"] - given["now_us"]
    if made < given["jobs"]:
        return Verdict("take", f"Taken: {made} of {count(given['jobs'], 'job')} of this period were made.")
    return Verdict(
        "drop",
        f"Dropped: {count(made, 'job')} {'was' if made == 1 else 'were'} made, and the period goes on for"
        f" {seconds(left_us)}.",
    )
