"""Which firings of a schedule submit a job, and what becomes of the job before?"""

from __future__ import annotations

from typing import Any

from sheratan.contracts.runs import RUN_ENDS
from sheratan.kernel.lifecycle import TERMINAL_STATES
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count, seconds

__all__ = ["MISSED", "OVERLAP", "decide_missed", "decide_overlap"]

MISSED = "schedule.missed@1"
OVERLAP = "schedule.overlap@2"


@rule("schedule.missed", 1)
def decide_missed(given: dict[str, Any]) -> Verdict:
    """Choose the ids of the firings that submit a job, oldest first.

    Input: due (each [id, instant_us], oldest first), more (whether firings before these were missed, too, and are not
    listed), now_us, tolerance_us, policy (skip, once or all), missed_max.

    A firing is missed when it is later than the tolerance. One that is not fires under every policy. Of the missed
    ones, `skip` makes up for none; `once` lets one job make up for all of them, which is that of a firing on time if
    there is one, else that of the newest missed; `all` makes up for the newest `missed_max`.
    """
    oldest_us = given["now_us"] - given["tolerance_us"]
    missed = [firing for firing, instant_us in given["due"] if instant_us < oldest_us]
    on_time = [firing for firing, instant_us in given["due"] if instant_us >= oldest_us]
    on_time_words = f"{count(len(on_time), 'firing')} on time"
    if not missed and not given["more"]:
        return Verdict(on_time, f"{on_time_words}, none missed.")
    room, reason = _room(given, on_time)
    skipped, made_up = _split(missed, room)
    rejected = [[firing, reason] for firing in skipped]
    number = str(len(missed))
    if given["more"]:
        rejected.insert(0, ["earlier firings", f"not listed; {reason}"])
        number = f"more than {number}"
    because = (
        f"{on_time_words}; of {number} missed by more than {seconds(given['tolerance_us'])}"
        f" {len(made_up)} made up for, by policy {given['policy']}."
    )
    return Verdict([*made_up, *on_time], because, rejected or None)


def _room(given: dict[str, Any], on_time: list[str]) -> tuple[int, str]:
    """How many missed firings are made up for, and why the others are not."""
    if given["policy"] == "skip":
        return 0, "missed firings are skipped"
    if given["policy"] == "all":
        most = given["missed_max"]
        return most, f"older than the newest {most} that were missed (missed_max)"
    if on_time:
        return 0, f"made up for by {on_time[0]}, which is on time"
    return 1, f"made up for by {given['due'][-1][0]}, the newest missed"


def _split(missed: list[str], room: int) -> tuple[list[str], list[str]]:
    """All but the newest `room`, and the newest `room`."""
    place = max(0, len(missed) - room)
    return missed[:place], missed[place:]


@rule("schedule.overlap", 1)
def decide_overlap_of_jobs(given: dict[str, Any]) -> Verdict:
    """Choose `submit`, `skip` or `cancel_previous`, which cancels the job before and then submits.

    Input: policy (queue, skip or cancel_previous), previous (id of the job that the firing before submitted, null when
    there is none), state (of that job, null likewise).
    """
    return decide_overlap(given)


@rule("schedule.overlap", 2)
def decide_overlap(given: dict[str, Any]) -> Verdict:
    """Choose as version 1 does. Input: the same; previous may be a run that the firing before began, and state its."""
    previous, state, policy = given["previous"], given["state"], given["policy"]
    if previous is None:
        return Verdict("submit", "Submitted: no firing before it has submitted a job.")
    what = "run" if previous.startswith("workflow_") else "job"
    if state in TERMINAL_STATES or state in RUN_ENDS:
        return Verdict("submit", f"Submitted: {previous}, the {what} before it, has ended ({state}).")
    open_still = f"{previous}, the {what} before it, is still {state}"
    if policy == "queue":
        return Verdict("submit", f"Submitted all the same: {open_still}.")
    if policy == "skip":
        return Verdict("skip", f"Skipped: {open_still}.")
    return Verdict(
        "cancel_previous", f"Submitted in place of the {what} before it: {open_still} and is cancelled."
    )
