"""Planted bugs of handlers that wait: woken early, never, for another's signal, or with what is not theirs."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_WAITS = "engine/waits.py"

BUGS = (
    Bug(
        "woken-early",
        "a wait is over five seconds before its time",
        "safety",
        "E13",
        (Change(_WAITS, "wait.due_us <= batch.at_us:", "wait.due_us <= batch.at_us + 5_000_000:"),),
    ),
    Bug(
        "signal-received-twice",
        "a signal that was received stays for the next wait",
        "safety",
        "E6",
        (Change(_WAITS, "            batch.unit.signals[came] = False\n", ""),),
    ),
    Bug(
        "signal-of-any-name",
        "a handler takes any signal for the one that it waits for",
        "safety",
        "E6",
        (Change(_WAITS, 'wait.what == "signal" and one.name == wait.key', 'wait.what == "signal"'),),
    ),
    Bug(
        "wait-begins-anew",
        "a wait that was begun before is begun again",
        "safety",
        "E13",
        (
            Change(
                _WAITS,
                "    known = {(row.name, row.occurrence): row for row in batch.waits(job.number)}\n",
                "    known: dict[tuple[str, int], WaitRow] = {}\n",
            ),
        ),
    ),
    Bug(
        "waits-outlive-their-job",
        "what a job waited for stays when it has ended",
        "safety",
        "J5",
        (Change("engine/batch.py", "            self._forget_waits(after.number)\n", "            pass\n"),),
    ),
    Bug(
        "signals-outlive-their-job",
        "after a restart nobody knows that a job has signals, and they outlive it",
        "safety",
        "J5",
        (Change("engine/state.py", "{row.number for row in store.all_signals()}", "set()"),),
    ),
    Bug(
        "waking-counts-as-an-attempt",
        "a job that is woken is at its next attempt",
        "safety",
        "E10",
        (
            Change(
                _WAITS,
                "job.number, timer.attempt, timer.losses",
                "job.number, timer.attempt + 1, timer.losses",
            ),
        ),
    ),
    Bug(
        "woken-without-its-step",
        "a job that is woken is said to have the steps that it had before",
        "safety",
        "E6",
        (
            Change(
                _WAITS,
                "timer.losses, batch.at_us, entry, steps)",
                "timer.losses, batch.at_us, entry, timer.steps)",
            ),
        ),
    ),
    Bug(
        "early-signal-is-not-seen",
        "a signal that came before its wait wakes nobody",
        "liveness",
        "E9",
        (
            Change(
                _WAITS,
                "    batch.place(job, lease, timer)\n    wake(batch, job, timer)\n",
                "    batch.place(job, lease, timer)\n",
            ),
        ),
    ),
    Bug(
        "signal-wakes-nobody",
        "a signal waits until the time of its wait is over",
        "liveness",
        "E9",
        (
            Change(
                _WAITS,
                "    if type(location) is Timer and location.what == TIMER_WAIT:\n        wake(batch, job, location)\n",
                "",
            ),
        ),
    ),
    Bug(
        "wait-is-never-over",
        "a wait that is over stays, and is over again",
        "safety",
        "E6",
        (Change(_WAITS, "    batch.end_wait(wait)\n", ""),),
    ),
    Bug(
        "waits-although-cancelled",
        "a handler that waits outlives the request to cancel it",
        "safety",
        "E9",
        (
            Change(
                "kernel/outcome.py",
                '    if given["cancel_requested"]:\n        return Verdict("cancelled"',
                '    if given["cancel_requested"] and outcome != "waiting":\n        return Verdict("cancelled"',
            ),
        ),
    ),
    Bug(
        "time-out-is-no-failure",
        "a signal that has not come in time is given as nothing",
        "safety",
        "E6",
        (Change(_WAITS, '    if wait.what == "sleep":\n', '    if wait.what != "":\n'),),
    ),
    Bug(
        "signal-leaves-no-trace",
        "a story does not tell of the signals that came",
        "explanation",
        "J9",
        (Change(_WAITS, "    batch.unit.mentions.append((job.number, entry))\n", ""),),
    ),
)
