"""Swarm options: each seed draws its own world, and switches whole kinds of fault off.

A fault that always may happen hides those that need its absence (Groce et al., "Swarm Testing", 2012).
"""

from __future__ import annotations

from typing import Final

import msgspec

from sheratan.contracts.flow import PartitionLimits, Rate
from sheratan.contracts.limits import Limits
from sheratan.simulation.choices import Choices

__all__ = [
    "ABOUT_BACKLOGS",
    "ABOUT_JOB_BUDGETS",
    "KINDS",
    "WORKER_NAMES",
    "Options",
    "draw_limits",
    "draw_options",
    "draw_partition_limits",
]

KINDS: Final = ("work", "other")

ABOUT_JOB_BUDGETS: Final = "budgets of jobs"
"""What a world is about in which jobs are tried, and charged, until their budgets are used up."""

WORKER_NAMES: Final = ("here", "there", "elsewhere")
"""What workers call themselves: one that is started in the place of another is called as that one was."""

_RATES: Final[dict[str, tuple[int, ...]]] = {
    "crash.statement": (0, 1, 4),
    "crash.inside_commit": (0, 2, 8),
    "crash.after_commit": (0, 5, 20),
    "crash.any_time": (0, 0, 10, 80),
    "crash.archiving": (0, 20, 80),
    "crash.power": (0, 500, 1000),
    "restart.clean": (0, 10, 50),
    "disk.full": (0, 0, 40),
    "disk.sync_failed": (0, 0, 3, 30),
    "archive.sync_failed": (0, 20, 80),
    "disk.checkpoint_failed": (0, 0, 100),
    "disk.long_read": (0, 50, 300),
    "disk.slow": (0, 60, 400),
    "disk.busy": (0, 0, 20, 100),
    "network.request_lost": (0, 5, 30),
    "network.request_duplicated": (0, 20, 60),
    "network.reply_lost": (0, 5, 30),
    "network.reply_duplicated": (0, 30),
    "network.slow": (0, 50, 300),
    "network.hung_up": (0, 5, 20),
    "worker.killed": (0, 10, 40),
    "worker.paused": (0, 10, 40),
    "worker.late_heartbeat": (0, 100),
    "worker.breaker": (0, 300),
    "worker.reports_twice": (0, 50),
    "worker.overruns": (0, 30, 100),
    "server.paused": (0, 20),
    "server.two_owners": (0, 0, 40),
    "clock.step": (0, 0, 20, 100),
    "clock.drift": (0, 0, 50),
    "policy.change": (0, 500),
    "dependency.down": (0, 20, 60),
    "memory.short": (0, 0, 20, 60),
}
"""How often each fault may happen, in a thousand occasions: one of these, the first of them never."""

_WEIGHTS: Final[dict[str, int]] = {
    "submit": 10,
    "keyed": 6,
    "after": 8,
    "delayed": 4,
    "bulk": 8,
    "cancel": 4,
    "retry": 2,
    "pause": 1,
    "resume": 1,
    "pause_kind": 1,
    "resume_kind": 1,
    "pause_tenant": 1,
    "resume_tenant": 4,
    "limit": 6,
    "look": 3,
    "signal": 8,
    "unblock": 18,
    "approve": 14,
    "deal": 6,
    "mass": 6,
    "schedule": 8,
    "tend": 14,
    "workflow": 10,
    "keep": 2,
    "gated": 8,
    "archive": 4,
    "keep_journal": 3,
    "book": 12,
    "price": 10,
    "state": 2,
}
"""What clients do, and the most weight that each thing may have against the others."""

ABOUT_BACKLOGS: Final = "backlogs"
"""Of what is ready only a part is in memory, and workers ask for more than that."""

_FOCUSES: Final[dict[str, tuple[str, ...]]] = {
    "gates": ("gated",),
    "ledger": ("book",),
    "prices": ("submit", "bulk", "price"),
    "budgets": ("price",),
    ABOUT_JOB_BUDGETS: ("price",),
    "proposals": ("submit", "workflow"),
    "runs": ("workflow",),
    "schedules": ("schedule", "tend", "state"),
    "waits": ("submit", "signal", "approve", "unblock"),
    "retention": ("workflow", "keep", "keyed"),
    "limits": ("submit", "limit"),
    "dead letters": ("submit", "bulk", "deal", "mass", "retry"),
    ABOUT_BACKLOGS: ("bulk",),
}
"""What some worlds are all about: only what is done again and again with the same thing shows certain mistakes."""

_FOCUS_WEIGHT: Final = 45
"""How often it is done, all of it together, where all else together has less than thirty."""

_WIDE: Final = ("runs", "schedules", "prices", "waits", "retention", ABOUT_JOB_BUDGETS)
"""Those with so many branches that a second share of the worlds is about them."""

_ABOUT_STEPS: Final = ("proposals", "waits")
"""Those that would be about nothing if no job had steps."""

_ABOUT_MONEY: Final = ("prices", "budgets", ABOUT_JOB_BUDGETS)
"""Those in which much must have happened before anything is used up."""

_FAILS: Final[dict[str | None, tuple[int, ...]]] = {
    "prices": (0, 100, 300),
    "budgets": (0, 100, 300),
    ABOUT_JOB_BUDGETS: (500, 700),
}
_WORKS: Final[dict[str | None, tuple[int, ...]]] = {ABOUT_JOB_BUDGETS: (0, 10_000, 1_000_000)}
"""How often attempts fail, and how long they take, where it is not as elsewhere."""

_SLOTS_LEAST: Final[dict[str | None, int]] = {ABOUT_BACKLOGS: 4}
_BULK: Final[dict[str | None, tuple[int, ...]]] = {ABOUT_BACKLOGS: (12, 30)}
_COLLECT: Final[dict[str | None, tuple[int, ...]]] = {ABOUT_BACKLOGS: (0, 300, 700)}
_SMALL_WINDOWS: Final[dict[str | None, tuple[bool, ...]]] = {ABOUT_BACKLOGS: (True,)}
"""How many jobs workers take and clients submit at once, how often workers collect jobs, and whether only a part of
what is ready is in memory."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The world of one seed. Times in microseconds, rates in a thousand occasions."""

    about: str | None
    """What clients do again and again; None: a bit of everything."""
    storage: str
    schedule: str
    clients: int
    workers: int
    slots: int
    operations: int
    """How many things each client does before the world calms down."""
    bulk: int
    think_us: int
    work_us: int
    small_windows: bool
    log_pages: int
    is_log_laid_out: bool
    fail_permille: int
    spawn_permille: int
    limits_permille: int
    """How often a worker's kinds come with limits."""
    collect_permille: int
    """How often a worker collects jobs of a kind."""
    steps: int
    """How many steps a durable job may have; 0: no job has any."""
    code_permille: int
    """How often a worker's code is not that of its jobs; 0: nobody ever deploys anything."""
    probe_seconds: int
    """How often a server looks at what it stands on; 0: never. What wakes it may hide that it was not woken."""
    alert_seconds: int
    """How often a server looks at what alerts watch; 0: never, for the same reason."""
    dwell_seconds: int
    down_after: int
    rates: dict[str, int]
    weights: dict[str, int]

    def rate(self, name: str) -> int:
        """How often a fault may happen."""
        return self.rates[name]


def draw_options(choices: Choices) -> Options:
    """Draw a world."""
    rates = {name: choices.pick(f"options.{name}", _RATES[name]) for name in _RATES}
    # In each world clients leave some things out, so that they do the others often enough to meet.
    weights = {
        name: choices.pick(f"options.weight.{name}", (0, most // 2, most, most))
        for name, most in _WEIGHTS.items()
    }
    focus = choices.pick("options.focus", (None, None, None, *_FOCUSES, *_WIDE))
    if focus is not None:
        weights = {name: min(most, 1) for name, most in weights.items()}
        weights |= dict.fromkeys(_FOCUSES[focus], _FOCUS_WEIGHT // len(_FOCUSES[focus]))
    log_pages = choices.pick("options.log_pages", (1000, 4, 30))
    return Options(
        about=focus,
        storage=choices.pick("options.storage", ("memory", "disk", "disk")),
        schedule=choices.pick("options.schedule", ("fifo", "uniform", "ranks")),
        clients=choices.between("options.clients", 1, 5),
        workers=choices.between("options.workers", 1, 4),
        slots=choices.between("options.slots", _SLOTS_LEAST.get(focus, 1), 8),
        operations=choices.pick("options.operations", (30, 45) if focus in _ABOUT_MONEY else (8, 16, 30, 45)),
        bulk=choices.pick("options.bulk", _BULK.get(focus, (3, 6, 30))),
        think_us=choices.pick("options.think", (0, 1_000, 100_000, 2_000_000)),
        work_us=choices.pick("options.work", _WORKS.get(focus, (0, 10_000, 1_000_000, 20_000_000))),
        small_windows=choices.pick("options.small_windows", _SMALL_WINDOWS.get(focus, (False, True, True))),
        log_pages=log_pages,
        # A large one takes so many writes that a process that may be killed at each would never come to its end.
        is_log_laid_out=log_pages < 100 and choices.pick("options.is_log_laid_out", (False, True)),
        fail_permille=choices.pick("options.fail", _FAILS.get(focus, (0, 100, 500))),
        spawn_permille=choices.pick("options.spawn", (0, 100, 300)),
        limits_permille=choices.pick("options.limits", (0, 0, 300)),
        collect_permille=choices.pick("options.collect", _COLLECT.get(focus, (0, 0, 300))),
        steps=choices.pick("options.steps", (6,) if focus in _ABOUT_STEPS else (0, 2, 6)),
        code_permille=choices.pick("options.code", (0, 500, 500)),
        probe_seconds=choices.pick("options.probes", (0, 0, 2, 10)),
        alert_seconds=choices.pick("options.alerts", (0, 0, 2, 5)),
        dwell_seconds=choices.pick("options.dwell", (60, 60, 10)),
        down_after=choices.pick("options.down_after", (3, 1)),
        rates=rates,
        weights=weights | {"submit": weights["submit"] + 1},
    )


def draw_limits(choices: Choices) -> Limits:
    """The limits of an engine that starts: often tight, so that refusals happen."""
    return Limits(
        queue_jobs_max=choices.pick("limits.queue_jobs", (100_000, 12, 5)),
        running_jobs_max=choices.pick("limits.running_jobs", (1_000, 1_000, 5, 2)),
        lease_jobs_max=choices.pick("limits.lease_jobs", (256, 3, 1)),
        fan_out_jobs_max=choices.pick("limits.fan_out_jobs", (1_000, 2)),
        worker_losses_max=choices.pick("limits.worker_losses", (3, 1, 2)),
        commands_batch_max=choices.pick("limits.commands_batch", (1_024, 1, 3)),
        inline_bytes_max=choices.pick("limits.inline_bytes", (2_048, 8)),
        queues_max=choices.pick("limits.queues", (1_000, 1_000, 1_000, 5)),
        bulk_jobs_max=choices.pick("limits.bulk_jobs", (1_000, 1, 3)),
        bulk_look_jobs_max=choices.pick("limits.bulk_look_jobs", (10_000, 2, 7)),
        bulk_open_max=choices.pick("limits.bulk_open", (8, 1, 1)),
        workflow_runs_max=choices.pick("limits.workflow_runs", (10_000, 6, 3)),
        schedules_max=choices.pick("limits.schedules", (100_000, 2)),
        prune_runs_max=choices.pick("limits.prune_runs", (25, 1)),
        accounts_max=choices.pick("limits.accounts", (1_000_000, 1_000_000, 5)),
        approvals_open_max=choices.pick("limits.approvals_open", (10_000, 10_000, 2)),
        segment_bytes_max=choices.pick("limits.segment_bytes", (67_108_864, 1, 20_000)),
    )


def draw_partition_limits(choices: Choices) -> PartitionLimits | None:
    """Limits for each partition by itself, if any."""
    count, seconds, burst = choices.pick("limit.partition_rate", ((0, 0, 0), (1, 3.0, 1), (2, 30.0, 1)))
    limits = PartitionLimits(
        concurrency=choices.pick("limit.partition_concurrency", (None, 1, 1, 2)),
        rate=Rate(count=count, period_seconds=seconds, burst=burst) if count else None,
    )
    return choices.pick("limit.per_partition", (None, limits, limits))
