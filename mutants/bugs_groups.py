"""Planted bugs in groups."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_ENGINE = "engine/collecting.py"

BUGS: Final = (
    Bug(
        "collected-for-ever",
        "jobs are collected until there are enough of them, however long the next one waits",
        "safety",
        "F2",
        (
            Change(
                "kernel/collecting.py",
                "return None if depth >= jobs_max or until_us <= at_us else until_us",
                "return None if depth >= jobs_max else until_us",
            ),
        ),
    ),
    Bug(
        "never-collected",
        "jobs start at once although their worker collects them",
        "safety",
        "F2",
        (Change(_ENGINE, "        if until_us is None:\n", "        if True:\n"),),
    ),
    Bug(
        "collecting-sleeps-on",
        "nothing wakes the engine when the next job has waited long enough",
        "liveness",
        "F2",
        (
            Change(
                _ENGINE,
                "flow.next_start_us = min(flow.next_start_us or until_us, until_us)",
                "continue",
            ),
        ),
    ),
    Bug(
        "collecting-without-looking",
        "what is not in memory is not read to see how long it has waited",
        "liveness",
        "F2",
        (Change(_ENGINE, "return not any(None in _firsts(batch, lane) for lane in lanes)", "return True"),),
    ),
    Bug(
        "partitions-not-counted",
        "jobs of partitions do not count when it is seen whether there are enough",
        "safety",
        "F2",
        (
            Change(
                _ENGINE,
                "return batch.state.windows[lane.lane].depth + batch.state.partitions.depth(lane.lane)",
                "return batch.state.windows[lane.lane].depth",
            ),
        ),
    ),
    Bug(
        "groups-not-told",
        "which jobs run together is not written",
        "safety",
        "F2",
        (
            Change(
                "engine/dispatch.py",
                'if "collects" in given:\n        data["groups"]',
                'if False:\n        data["groups"]',
            ),
        ),
    ),
    Bug(
        "groups-too-large",
        "more jobs run together than their worker collects",
        "safety",
        "F2",
        (
            Change(
                _ENGINE,
                "Member(job.number, lane.lane, session.collects.get(lane.offered_as, (None,))[0])",
                "Member(job.number, lane.lane, 1_000 if lane.offered_as in session.collects else None)",
            ),
        ),
    ),
)
