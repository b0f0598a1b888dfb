"""Planted bugs of time: clocks, timers, limits, and the wake-ups that nobody may miss."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_TIMERS = "engine/timers.py"
_DECIDER = "engine/decider.py"
_STATE = "engine/state.py"

BUGS = (
    Bug(
        "timer-rings-early",
        "delays and retries end a second early",
        "safety",
        "E13",
        (
            Change(_TIMERS, "store.timers_due(batch.at_us, ", "store.timers_due(batch.at_us + 1_000_000, "),
            Change(_TIMERS, "    assert timer.due_us <= batch.at_us\n", ""),
        ),
    ),
    Bug(
        "wait-ends-early",
        "a limit on waiting in a queue is held to be reached half-way",
        "safety",
        "E13",
        (
            Change(
                "kernel/outcome.py",
                "    if elapsed < limit:\n",
                "    if elapsed < limit and (what != 'queue' or elapsed < limit // 2):\n",
            ),
        ),
    ),
    Bug(
        "run-limit-not-kept",
        "an attempt that was asked to stop may run past its time limit",
        "safety",
        "E4",
        (
            Change(
                _STATE,
                "min(self.run_due_us, self.asked_us + CANCEL_GRACE_US)",
                "self.asked_us + CANCEL_GRACE_US",
            ),
        ),
    ),
    Bug(
        "cancel-without-grace-limit",
        "an attempt that does not heed a cancellation runs on",
        "liveness",
        "E9",
        (
            Change(
                _STATE,
                "min(self.run_due_us, self.asked_us + CANCEL_GRACE_US)",
                "self.run_due_us",
            ),
        ),
    ),
    Bug(
        "next-deadline-too-late",
        "after one attempt's time was up the others are looked at when the last one's is",
        "liveness",
        "E9",
        (Change(_STATE, "self.next_deadline_us = min((due_us", "self.next_deadline_us = max((due_us"),),
    ),
    Bug(
        "due-not-noted",
        "the instant of a new timer is not taken note of",
        "liveness",
        "E9",
        (Change(_STATE, "            self.next_due_us = due_us\n", "            return\n"),),
    ),
    Bug(
        "due-not-looked-up-again",
        "after timers rang the next one is not looked up",
        "liveness",
        "E9",
        (Change(_DECIDER, "        if batch.rang:\n", "        if batch.rang and batch.more and False:\n"),),
    ),
    Bug(
        "silence-not-noticed",
        "a worker that is not heard of stays on duty",
        "liveness",
        "E9",
        (
            Change(
                _TIMERS,
                "if not session.local and silence_us > SESSION_SILENCE_US_MAX:",
                "if session.local and silence_us > SESSION_SILENCE_US_MAX:",
            ),
        ),
    ),
    Bug(
        "silence-too-short",
        "a worker is taken for lost after 20 seconds",
        "safety",
        "E8",
        (Change(_TIMERS, "SESSION_SILENCE_US_MAX = 30_000_000", "SESSION_SILENCE_US_MAX = 20_000_000"),),
    ),
    Bug(
        "alarm-rings-twice",
        "a limit on waiting that was reached is set again",
        "safety",
        "E13",
        (
            Change(
                _TIMERS,
                "        batch.unit.alarms_rung.append((due_us, number))\n",
                "        batch.unit.alarms_rung.append((due_us, number))\n"
                "        batch.set_alarm(number, batch.at_us + 1_000_000)\n",
            ),
        ),
    ),
    Bug(
        "time-runs-backwards",
        "the wall clock is recorded as it is",
        "safety",
        "J9",
        (
            Change("store/unit.py", "self.at_us = max(head.at, now_us)", "self.at_us = now_us"),
            Change(_DECIDER, ", self._at_us + passed)", ", 0 * passed)"),
        ),
    ),
    Bug(
        "time-stands-still",
        "while the wall clock is behind, recorded time does not go on",
        "liveness",
        "J9",
        (Change(_DECIDER, ", self._at_us + passed)", ", self._at_us + 0 * passed)"),),
    ),
    Bug(
        "leases-on-the-wall-clock",
        "time limits of attempts are measured on the wall clock",
        "safety",
        "E8",
        (
            Change(_DECIDER, "self._randomness, monotonic_us)", "self._randomness, self.clock.now_us())"),
            Change(
                _DECIDER,
                "instant_us - self.clock.monotonic_us() for",
                "instant_us - self.clock.now_us() for",
            ),
        ),
    ),
    Bug(
        "step-not-recorded",
        "a step of the wall clock is not recorded",
        "explanation",
        "J9",
        (
            Change(
                _DECIDER, "        if abs(step_us) > _CLOCK_STEP_US_MAX:\n", "        if step_us is None:\n"
            ),
        ),
    ),
    Bug(
        "timeout-not-recorded",
        "that an attempt's time was up is not recorded before what follows from it",
        "explanation",
        "E14",
        (
            Change(
                _TIMERS,
                'entry = batch.unit.record("job.timed_out", held.id, data, ENGINE, decision=record, '
                "previous=lease.entry)",
                "entry = lease.entry",
            ),
        ),
    ),
    Bug(
        "cancel-lost-over-failure",
        "after a commit that failed nobody watches over a request to cancel",
        "liveness",
        "E12",
        (Change(_DECIDER, "now_us if lease.cancel_us else None))", "None))"),),
    ),
)
