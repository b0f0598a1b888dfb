"""What becomes of a job or an attempt when a worker reports, a person cancels, or time is up?"""

from __future__ import annotations

from typing import Any

from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import seconds

__all__ = ["CANCEL", "SETTLE", "TIMEOUT", "decide_cancel", "decide_timeout", "settle"]

SETTLE = "job.settle@1"
CANCEL = "job.cancel@1"
TIMEOUT = "job.timeout@1"


@rule("job.settle", 1)
def settle(given: dict[str, Any]) -> Verdict:
    """Choose `succeeded`, `cancelled`, `released`, `waiting`, `code_changed`, `errored` or `fenced_off`.

    Input: outcome (succeeded, failed, cancelled, released, waiting or code_changed), attempt, fence (the worker's),
    fence_current (the lease's, null when nobody holds one), cancel_requested. Exactly one report per lease can win:
    the first with the current fence. A success that crosses a cancel request stands, since its effects have happened.
    """
    attempt = given["attempt"]
    if given["fence"] != given["fence_current"]:
        current = given["fence_current"]
        holder = "nobody holds the job" if current is None else f"the current fence is {current}"
        return Verdict("fenced_off", f"Ignored: fence {given['fence']} is stale, {holder}.")
    outcome = given["outcome"]
    if outcome == "succeeded":
        crossed = " It crossed a request to cancel and won." if given["cancel_requested"] else ""
        return Verdict("succeeded", f"Attempt {attempt} succeeded.{crossed}")
    if given["cancel_requested"]:
        return Verdict("cancelled", f"Attempt {attempt} stopped because the job was to be cancelled.")
    if outcome == "released":
        return Verdict(
            "released", f"Attempt {attempt} was handed back unfinished by a worker that is stopping."
        )
    if outcome == "waiting":
        return Verdict("waiting", f"Attempt {attempt} gave its slot back: its handler waits.")
    if outcome == "code_changed":
        because = f"Attempt {attempt} does not count: its code is not the one that recorded the job's steps."
        return Verdict("code_changed", because)
    return Verdict("errored", f"Attempt {attempt} ended with an error.")


@rule("job.cancel", 1)
def decide_cancel(given: dict[str, Any]) -> Verdict:
    """Choose `cancel`, `request` or `refuse`. Input: state, already_requested."""
    state = given["state"]
    if state in ("succeeded", "failed", "cancelled"):
        return Verdict("refuse", f"Not cancelled: the job has already {state}.")
    if state == "running":
        again = " again" if given["already_requested"] else ""
        return Verdict(
            "request", f"The running attempt is asked{again} to stop; the worker has the last word."
        )
    return Verdict("cancel", f"Cancelled while {state}: no attempt was running.")


@rule("job.timeout", 1)
def decide_timeout(given: dict[str, Any]) -> Verdict:
    """Choose `expire` or `keep`. Input: what (run, queue, deadline, session or cancel), limit_us, elapsed_us."""
    what, limit, elapsed = given["what"], given["limit_us"], given["elapsed_us"]
    if elapsed < limit:
        return Verdict("keep", f"Kept: {seconds(elapsed)} of {seconds(limit)} have passed.")
    words = {
        "run": "The attempt ran past its time limit",
        "queue": "The job waited past its time limit without being started",
        "deadline": "The job had not ended by its deadline",
        "session": "The worker was not heard of in time",
        "cancel": "The attempt did not stop in time after being asked to",
    }[what]
    return Verdict("expire", f"{words}: {seconds(elapsed)} against {seconds(limit)}.")
