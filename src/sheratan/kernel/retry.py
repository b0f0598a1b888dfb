"""Is a failed attempt tried again, and when?"""

from __future__ import annotations

import hashlib
from typing import Any

from sheratan.kernel.job_budget import over_budget
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count, seconds

__all__ = ["BACKOFF", "BACKOFF_IN_TIME", "BACKOFF_WITHIN", "backoff", "backoff_in_time", "backoff_within"]

BACKOFF = "retry.backoff@1"
BACKOFF_WITHIN = "retry.backoff@2"
BACKOFF_IN_TIME = "retry.backoff@3"

_FINAL = {
    "fatal": "the error is marked as final",
    "bug": "the error is a bug, which trying again does not mend",
}


@rule("retry.backoff", 1)
def backoff(given: dict[str, Any]) -> Verdict:
    """Choose {action: retry, delay_us}, {action: requeue} or {action: fail}.

    Input: error_class, failures (of the job's own, this one included) and attempts_max, losses (attempts lost with
    their worker, this one included) and losses_max, base_us, cap_us, retry_after_us (null, or what a provider asked
    for), seed.

    The delay has full jitter: uniform between 0 and min(cap, base * 2^(failures - 1)), drawn from the seed
    (Brooker, "Exponential Backoff and Jitter", 2015). An attempt lost with its worker does not count as a failure
    of the job; it goes back at once, a bounded number of times.
    """
    error_class, failures, most = given["error_class"], given["failures"], given["attempts_max"]
    if error_class in _FINAL:
        return Verdict({"action": "fail"}, f"Not tried again: {_FINAL[error_class]}.")
    if error_class == "lost_lease":
        losses, losses_max = given["losses"], given["losses_max"]
        if losses >= losses_max:
            return Verdict(
                {"action": "fail"}, f"Not tried again: {count(losses, 'worker')} lost while running it."
            )
        return Verdict(
            {"action": "requeue"}, f"Back to its queue: loss {losses} of a worker, {losses_max} allowed."
        )
    if failures >= most:
        return Verdict(
            {"action": "fail"}, f"Not tried again: {failures} of {most} allowed attempts have failed."
        )
    asked = given["retry_after_us"]
    if asked is not None:
        because = (
            f"Tried again (try {failures + 1} of {most}) after the {seconds(asked)} that were asked for."
        )
        return Verdict({"action": "retry", "delay_us": asked}, because)
    ceiling = min(given["cap_us"], given["base_us"] << min(failures - 1, 40))
    delay = _draw(given["seed"], ceiling)
    because = (
        f"Tried again (try {failures + 1} of {most}) after {seconds(delay)},"
        f" drawn between 0 and {seconds(ceiling)} from the recorded seed."
    )
    return Verdict({"action": "retry", "delay_us": delay}, because)


@rule("retry.backoff", 2)
def backoff_within(given: dict[str, Any]) -> Verdict:
    """As `retry.backoff@1`, for a job with a budget: no attempt that could go over it is to come.

    Input: the same, and budget: what `job.budget@1` is told, with what the attempt that has failed is charged.
    """
    verdict, over = backoff(given), over_budget(given["budget"])
    if over is None or verdict.chosen["action"] == "fail":
        return verdict
    return Verdict({"action": "fail"}, f"Not tried again: {over}.")


@rule("retry.backoff", 3)
def backoff_in_time(given: dict[str, Any]) -> Verdict:
    """As `retry.backoff@2`, or `@1` without a budget, for a job with a deadline: no attempt starts at that or after it.

    Input: the same, and left_us: how long it is until the deadline; none, or less, once that is over.
    """
    verdict = backoff_within(given) if "budget" in given else backoff(given)
    if verdict.chosen["action"] == "fail":
        return verdict
    left, delay = given["left_us"], verdict.chosen.get("delay_us", 0)
    if left <= 0:
        return Verdict({"action": "fail"}, "Not tried again: the deadline of the job is over.")
    if delay >= left:
        because = f"Not tried again: that would be after {seconds(delay)}, and the deadline is over in {seconds(left)}."
        return Verdict({"action": "fail"}, because)
    return verdict


def _draw(seed: int, ceiling: int) -> int:
    """A number from 0 to `ceiling`, uniform, from the seed alone."""
    digest = hashlib.sha256(b"retry.backoff@1:%d" % seed).digest()
    return int.from_bytes(digest[:16], "big") % (ceiling + 1)
