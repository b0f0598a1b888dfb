"""Planted bugs of ageing: waits that are forgotten, gains that stay, jobs behind the window that nobody sees."""

from __future__ import annotations

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_AGEING = "engine/dispatch_ageing.py"
_STATE = "engine/flow_state.py"
_WINDOW = "engine/window.py"

BUGS = (
    Bug(
        "gain-stays-after-a-start",
        "a priority keeps what it has gained although a job of it has started",
        "liveness",
        "order",
        (
            Change(
                _AGEING,
                "            flow.started[lane, head[1]] = batch.at_us\n",
                "            assert head[1] in range(10)\n",
            ),
        ),
    ),
    Bug(
        "gain-from-a-day-before",
        "a job that has just become ready counts as having waited since the last start of its priority",
        "liveness",
        "order",
        (
            Change(
                _AGEING,
                "since_us = max(row.since_us, flow.started.get((lane, row.priority), 0))",
                "since_us = flow.started.get((lane, row.priority), row.since_us)",
            ),
        ),
    ),
    Bug(
        "gain-rounded-up",
        "a priority gains a step as soon as its first one begins",
        "liveness",
        "order",
        (
            Change(
                "kernel/ageing.py",
                "return max(0, at_us - since_us) // step_us",
                "return -((since_us - at_us) // step_us)",
            ),
        ),
    ),
    Bug(
        "longest-ageing-holds",
        "of the ageing that is set for queue, kind and tenant the longest holds",
        "liveness",
        "F1",
        (Change(_STATE, "min(steps, default=0)", "max(steps, default=0)"),),
    ),
    Bug(
        "ageing-never-lifted",
        "priorities go on ageing after that was lifted",
        "liveness",
        "F1",
        (
            Change(
                _STATE,
                "_keep(self.ageing, number, min(steps, default=0))",
                "_keep(self.ageing, number, min(steps, default=self.ageing.get(number, 0)))",
            ),
        ),
    ),
    Bug(
        "newcomer-behind-the-window",
        "what comes in behind the window is not seen by ageing",
        "liveness",
        "memory",
        (
            Change(
                _WINDOW,
                "                    self._beyond[row.priority] = row\n",
                "                    assert row.number\n",
            ),
        ),
    ),
    Bug(
        "gone-behind-the-window",
        "a job behind the window that has ended stays next in line",
        "safety",
        "memory",
        (
            Change(
                _WINDOW,
                "            if first is not None and first.number == row.number:\n"
                "                self._beyond = None\n",
                "            assert first is None or first.lane == row.lane\n",
            ),
        ),
    ),
    Bug(
        "only-whose-turn-it-is-ages",
        "of partitions only those age whose turn it is",
        "liveness",
        "order",
        (Change("engine/dispatch_partitions.py", "stopped, of_each=ages)", "stopped, of_each=False)"),),
    ),
)
