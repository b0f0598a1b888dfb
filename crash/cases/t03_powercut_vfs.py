"""T03: the power is cut again and again, at any operation on the disk; what was not synced is lost or torn."""

from __future__ import annotations

from crash.case import Case, Outcome, Run
from crash.storage_cuts import cut_power, forget_to_sync

__all__ = ["CASE"]


def _run(run: Run) -> Outcome:
    return cut_power(run, cuts=run.size(slice=80, full=5_000))


def _control(run: Run) -> Outcome:
    return cut_power(run, cuts=20, sabotage=forget_to_sync)


CASE = Case(
    id="T03",
    name="powercut-vfs",
    promise="5,000 power cuts over 10,000 commits: 0 acknowledged lost, integrity_check ok, chain whole",
    run=_run,
    control=_control,
    control_does="the disk reports every sync as done and keeps nothing",
)
