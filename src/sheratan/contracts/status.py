"""How an engine stands: the answer to the five questions, and what it rests on."""

from __future__ import annotations

import msgspec

from sheratan.contracts.alerts import AlertRecord
from sheratan.contracts.guards import GuardRecord
from sheratan.contracts.jobs import JobRecord
from sheratan.contracts.limits import Limits
from sheratan.contracts.pressure import NO_PRESSURE, PressureRecord
from sheratan.contracts.spending import BudgetRecord, SpendingRecord
from sheratan.contracts.system import SystemRecord

__all__ = ["EngineStatus"]


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The five answers, from recorded facts, and what they rest on."""

    ready: bool
    problems: list[str]
    doing: str
    why: str
    who_asked: str
    last_stable_state: str
    safe_alternative: str
    version: str
    pid: int | None
    data: str
    state: str
    """The system's state, or `stopped` or `interrupted` where no server runs."""
    system: SystemRecord
    counts: dict[str, int]
    ended: dict[str, int]
    dead_letters: int
    code_changed: int
    approvals: int
    entries: int
    head: str
    workers: list[str]
    limits: Limits | None
    schedules: int = 0
    schedules_lag_us: int = 0
    """How long the longest overdue firing has been due; 0 when none is."""
    archive_problem: str | None = None
    """Why entries that are due by what is set could not be archived when the server last tried to."""
    guards: list[GuardRecord] = []
    """What the server's own worker calls, as far as that is guarded; empty where no server runs."""
    pressure: PressureRecord = NO_PRESSURE
    alerts: list[AlertRecord] = []
    """The alerts that are open."""
    alert_problems: list[str] = []
    """The targets that did not take the last notice that was sent to them, and why."""
    waiting: list[JobRecord] = []
    """Of the jobs that are next in their lanes those that have waited longest; empty where no server runs."""
    spending: list[SpendingRecord] = []
    """What attempts have cost so far."""
    budgets: list[BudgetRecord] = []
