"""Planted bugs of leases: who gets which job, and what of the ready jobs is in memory."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_DISPATCH = "engine/dispatch.py"
_INPUT = "engine/lease_input.py"
_WINDOW = "engine/window.py"
_STATE = "engine/state.py"

BUGS = (
    Bug(
        "drain-ignored-at-dispatch",
        "an engine that drains starts jobs",
        "safety",
        "E17",
        (
            Change(
                _DISPATCH,
                'if state.allowed.dispatch != "allow" or not',
                'if (state.allowed.dispatch != "allow" and state.system.current != "draining") or not',
            ),
        ),
    ),
    Bug(
        "running-jobs-not-limited",
        "running_jobs_max holds for each lease call by itself",
        "safety",
        "E16",
        (
            Change(
                _DISPATCH,
                "room = state.limits.running_jobs_max - len(state.held)",
                "room = state.limits.running_jobs_max",
            ),
        ),
    ),
    Bug(
        "lease-call-not-limited",
        "lease_jobs_max is not kept",
        "safety",
        "E16",
        (
            Change(
                _DISPATCH,
                "slots = min(session.free_slots, batch.state.limits.lease_jobs_max)",
                "slots = session.free_slots",
            ),
        ),
    ),
    Bug(
        "paused-queue-served",
        "jobs of a paused queue are started",
        "safety",
        "pause",
        (
            Change(
                "engine/flow_state.py",
                "zip(subjects_of(lane), _PAUSES, strict=True)",
                "zip(subjects_of(lane)[1:], _PAUSES[1:], strict=True)",
            ),
        ),
    ),
    Bug(
        "kind-not-offered",
        "a worker is given kinds that it does not offer",
        "safety",
        "dispatch.order@2",
        (Change(_INPUT, '"open" if lane.offered_as in session.offers else', '"open" if lane.kind else'),),
    ),
    Bug(
        "fence-is-the-session",
        "all leases of a worker have the same fence",
        "safety",
        "E3",
        (
            Change(
                _DISPATCH,
                "_lease(batch, session, row, jobs[row.number], fence) for",
                "_lease(batch, session, row, jobs[row.number], session.number) for",
            ),
        ),
    ),
    Bug(
        "hung-up-worker-served",
        "jobs are given to a lease call that nobody waits for any more",
        "liveness",
        "E9",
        (
            Change(
                _DISPATCH,
                "if session.waiting is not None and session.waiting.is_abandoned:",
                "if session.waiting is None:",
            ),
        ),
    ),
    Bug(
        "lease-recorded-with-wrong-attempt",
        "the entry of a lease names the attempt before",
        "explanation",
        "E6",
        (
            Change(
                _DISPATCH, "[row.number, row.attempt, row.entry]", "[row.number, row.attempt - 1, row.entry]"
            ),
        ),
    ),
    Bug(
        "edge-of-window-ignored",
        "jobs are given before more urgent ones of another lane that are not in memory",
        "safety",
        "order",
        (Change(_INPUT, "    if unread:\n", "    if not usable:\n"),),
    ),
    Bug(
        "refill-not-announced",
        "a lease call that sees the end of a window does not have it refilled",
        "liveness",
        "E9",
        (Change(_INPUT, "        batch.more |= window.wants_refill\n", ""),),
    ),
    Bug(
        "window-whole-too-early",
        "a window that was filled to the last place is held to be whole",
        "safety",
        "E9",
        (Change(_WINDOW, "if len(rows) < self.page:", "if len(rows) <= self.page:"),),
    ),
    Bug(
        "window-shortened-but-whole",
        "a window that leaves its later half to the database is still held to be whole",
        "safety",
        "E9",
        (Change(_WINDOW, "        self._edge = self._keys[-1]\n        self.whole = False\n", ""),),
    ),
    Bug(
        "window-edge-too-late",
        "the edge of a shortened window lies behind jobs that are not in it",
        "safety",
        "order",
        (
            Change(
                _WINDOW,
                "        keep = self._most // 2\n",
                "        keep, last = self._most // 2, self._keys[-1]\n",
            ),
            Change(
                _WINDOW,
                "        self._edge = self._keys[-1]\n        self.whole = False\n",
                "        self._edge = last\n        self.whole = False\n",
            ),
        ),
    ),
    Bug(
        "window-takes-what-lies-beyond",
        "a window that is not whole takes up new jobs from beyond its edge",
        "safety",
        "order",
        (Change(_WINDOW, "if not self.whole and key > self._edge:", "if key < (-1, -1):"),),
    ),
    Bug(
        "dry-window-forgotten",
        "a window that runs low is not remembered for a refill",
        "liveness",
        "E9",
        (
            Change(
                _STATE,
                "        if window.depth and not window.whole:\n            self.dry.add(row.lane)\n",
                "",
            ),
        ),
    ),
    Bug(
        "fan-out-outlives-attempt",
        "what an attempt has submitted is counted against the next one",
        "safety",
        "E16",
        (Change(_STATE, "        self.fan_out.pop(number, None)\n", ""),),
    ),
    Bug(
        "wrong-job-at-hand",
        "an attempt is given the input of the job before it",
        "safety",
        "E2",
        (Change(_DISPATCH, "msgspec.Raw(batch.body(job.input, job.payload))", 'msgspec.Raw(b"null")'),),
    ),
)
