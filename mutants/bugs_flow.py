"""Planted bugs of flow control: limits that are not kept, rates that forget, turns that are not fair."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_FLOW = "engine/flow.py"
_STATE = "engine/flow_state.py"
_SHARING = "kernel/sharing.py"

BUGS = (
    Bug(
        "one-more-than-the-limit",
        "a queue or kind runs one job more than its limit",
        "safety",
        "F1",
        (
            Change(
                _SHARING, "self.most and self.running >= self.most", "self.most and self.running > self.most"
            ),
        ),
    ),
    Bug(
        "limit-per-lease-call",
        "the limit of running jobs holds for each lease call by itself",
        "safety",
        "F1",
        (
            Change(
                _STATE,
                "return self.rows[key].concurrency, self.running[key], paced",
                "return self.rows[key].concurrency, 0, paced",
            ),
        ),
    ),
    Bug(
        "ended-attempt-still-counted",
        "an attempt that has ended still counts against a limit",
        "liveness",
        "F1",
        (Change("engine/state.py", "            self._count(held.job, -1)\n", "            pass\n"),),
    ),
    Bug(
        "running-jobs-not-counted-at-once",
        "a new limit does not count what runs already",
        "safety",
        "F1",
        (Change(_STATE, "            self.running[key] = running\n", "            self.running[key] = 0\n"),),
    ),
    Bug(
        "new-lane-not-bound",
        "jobs of a kind that is new in a queue are not limited",
        "safety",
        "F1",
        (
            Change(
                "engine/state.py",
                "        self.windows[lane.lane] = self._window(lane, 0)\n        self.flow.bind(lane)\n",
                "        self.windows[lane.lane] = self._window(lane, 0)\n",
            ),
        ),
    ),
    Bug(
        "burst-again-after-a-crash",
        "how far a rate is used up is not written, so a restart gives the burst again",
        "safety",
        "F1",
        (
            Change(
                "engine/dispatch.py",
                "        batch.unit.paces[keys[index]] = PaceRow(*keys[index], *pace)\n",
                "",
            ),
        ),
    ),
    Bug(
        "rate-rounded-down",
        "the part of a microsecond between two starts is forgotten",
        "safety",
        "F1",
        (
            Change(
                "kernel/rate.py",
                "return Pace(*divmod(paid_off + cost * rate.period_us, rate.count), at_us)",
                "return Pace((paid_off + cost * rate.period_us) // rate.count, 0, at_us)",
            ),
        ),
    ),
    Bug(
        "cost-not-charged",
        "a rate charges every job the same, whatever it costs",
        "safety",
        "F1",
        (
            Change(
                "engine/lease_input.py",
                "        if jobs[head[2]].cost != 1:\n            head.append(jobs[head[2]].cost)\n",
                "        assert jobs[head[2]].cost\n",
            ),
        ),
    ),
    Bug(
        "nobody-wakes-for-a-rate",
        "the engine does not wake when the next job may start",
        "liveness",
        "E9",
        (
            Change(
                "engine/dispatch.py",
                "            flow.next_start_us = min(flow.next_start_us or stop.until_us, stop.until_us)\n",
                "            flow.next_start_us = None\n",
            ),
        ),
    ),
    Bug(
        "paused-kind-served",
        "jobs of a paused kind are started",
        "safety",
        "F1",
        (
            Change(
                _STATE,
                "zip(subjects_of(lane), _PAUSES, strict=True)",
                "zip(subjects_of(lane)[::2], _PAUSES[::2], strict=True)",
            ),
        ),
    ),
    Bug(
        "paused-tenant-served",
        "jobs of a paused tenant are started",
        "safety",
        "F1",
        (
            Change(
                _STATE,
                "zip(subjects_of(lane), _PAUSES, strict=True)",
                "zip(subjects_of(lane)[:2], _PAUSES, strict=False)",
            ),
        ),
    ),
    Bug(
        "full-lane-stops-the-others",
        "a queue that is full keeps others from being served",
        "liveness",
        "E9",
        (
            Change(
                _SHARING,
                "            picked.stops[lane] = stop\n            continue\n",
                "            picked.stops[lane] = stop\n            break\n",
            ),
        ),
    ),
    Bug(
        "turns-not-charged",
        "a lane that was served is as little ahead as before",
        "safety",
        "order",
        (
            Change(
                _STATE, "            self._tags[lane] = self._turn + tag\n", "            assert tag >= 0\n"
            ),
        ),
    ),
    Bug(
        "weight-ignored",
        "all lanes get the same share, whatever their weight",
        "safety",
        "order",
        (Change(_STATE, "weight *= row.weight if row is not None else 1", "weight *= 1"),),
    ),
    Bug(
        "old-rate-owed-for-ever",
        "what was started under an earlier rate is owed under the new one, however slow the old one was",
        "liveness",
        "F1",
        (Change(_FLOW, "flow.paces[key] = refit(rate, pace, batch.at_us)", "flow.paces[key] = pace"),),
    ),
    Bug(
        "declaration-outranks-people",
        "a worker that comes on duty undoes what somebody has set for its kind",
        "safety",
        "F1",
        (Change(_FLOW, "(row is None or row.declared or stands == _NOTHING)", "stands is not None"),),
    ),
    Bug(
        "declared-by-nobody",
        "after a restart nobody knows which limits came with a kind",
        "safety",
        "J14",
        (Change(_FLOW, 'int("declared" in data)', "0"),),
    ),
    Bug(
        "lifted-rate-stays-used",
        "a rate that was lifted leaves behind how far it was used",
        "safety",
        "J5",
        (Change(_FLOW, "    batch.unit.paces[key] = None\n    if rate", "    if rate"),),
    ),
)
