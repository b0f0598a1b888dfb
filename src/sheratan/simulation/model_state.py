"""What the model knows: jobs, workers and queues in its own words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sheratan.contracts.guards import OpenBreaker
from sheratan.contracts.schedules import Schedule
from sheratan.engine.commands import NewJob

__all__ = [
    "GRACE_US",
    "SILENCE_US",
    "TERMINAL",
    "Drawn",
    "ModelJob",
    "ModelSchedule",
    "ModelWait",
    "ModelWorker",
]

TERMINAL: Final = ("succeeded", "failed", "cancelled")

GRACE_US: Final = 10_000_000
"""How long an attempt has to stop after it was asked to (docs/reference/states.md)."""

SILENCE_US: Final = 30_000_000
"""How long a worker may be silent."""


NodeJobs = dict[tuple[int, str, int], tuple[int, str]]
"""The number and id of each job of a node: by run, node and item (-1 for an only job, -2 for one that undoes)."""


class NewRun(NamedTuple):
    """A run that begins for a node: of which run, which node and item, and what its number and id are."""

    parent: int
    node: str
    item: int
    number: int
    id: str


class Drawn(NamedTuple):
    """What a batch has drawn at random: seeds of backoffs by job, and ids of new jobs.

    Of jobs that bulk operations have made, in order; of jobs that firings have submitted, by key; of the jobs of
    nodes.
    """

    seeds: dict[int, int]
    made: list[str]
    firing_ids: dict[str, str]
    node_jobs: NodeJobs
    run_turns: list[int | NewRun]
    """In which order runs came to advance, by number, and began for nodes: any order will do."""
    pruned: dict[str, list[int]]
    """The jobs that were pruned, by the kind that is set for."""
    pruned_runs: dict[str, list[int]]
    """The runs that were pruned, by the workflow that is set for."""
    overdrawn: frozenset[int]
    """The jobs that were to start, and could go over their own budget."""
    overspent: frozenset[int]
    """Those that could go over the budget of a run."""


class ModelWait(NamedTuple):
    """What a handler waits for, at most until an instant."""

    name: str
    occurrence: int
    what: str
    key: str
    due_us: int


@dataclass
class ModelJob:
    """A job as the model knows it. `due_us` and `since_us` are recorded instants; `began_us` and `asked_us` are
    instants of the monotonic clock."""

    number: int
    id: str
    wanted: NewJob
    by_job: int | None
    origin: int | None
    whom: str
    """On whose behalf it, or the first of the jobs that it descends from, was submitted."""
    traceparent: str | None = None
    """The trace of a caller that it goes on with."""
    state: str = "new"
    attempt: int = 1
    losses: int = 0
    due_us: int = 0
    since_us: int = 0
    parents: list[int] = field(default_factory=list)
    missing: set[int] = field(default_factory=set)
    failed_parents: int = 0
    fence: int = -1
    worker: int = -1
    began_us: int = 0
    asked_us: int | None = None
    fan_out: int = 0
    steps: list[tuple[str, int, bytes | None]] = field(default_factory=list)
    """What it has recorded: name, occurrence and output, None for a failure."""
    waits: list[ModelWait] = field(default_factory=list)
    awaits: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    """Of each wait for other jobs, those that have not ended, by name and occurrence."""
    signals: list[tuple[str, bytes]] = field(default_factory=list)
    """What was sent to it and not received: name and value."""
    approvals: dict[tuple[str, int], str] = field(default_factory=dict)
    """What it has asked people for, by name and occurrence."""
    output: bytes | None = None
    ended_attempt: int = 0
    ended_us: int = 0
    awaited_by: list[int] = field(default_factory=list)
    created_us: int = 0
    fails_us: int = 0
    """When it fails unless it has ended, as recorded; 0 for never."""
    limit_us: int = 0
    """How long the running attempt may take."""
    blocked_by: set[str] = field(default_factory=set)
    """The code that has blocked it."""
    error_class: str | None = None
    """How its last attempt failed, if one has."""
    is_dead: bool = False
    """Whether it has failed and was neither replayed nor discarded."""
    children: list[int] = field(default_factory=list)
    is_pruned: bool = False

    @property
    def is_quarantined(self) -> bool:
        """Whether it has failed because it lost as many workers as it may."""
        return self.state == "failed" and self.error_class == "lost_lease"

    def begin(self, monotonic_us: int, at_us: int) -> None:
        """An attempt has all of its time from now on: the run timeout, or what is left until the job fails."""
        left_us = max(0, self.fails_us - at_us) if self.fails_us else self.wanted.run_timeout_us
        self.began_us, self.limit_us = monotonic_us, min(left_us, self.wanted.run_timeout_us)

    def has_failed_by(self, at_us: int) -> bool:
        """Whether its deadline is over at a recorded instant."""
        return 0 < self.fails_us <= at_us

    @property
    def deadline_us(self) -> int:
        """When the running attempt's time is up."""
        due_us = self.began_us + self.limit_us
        return due_us if self.asked_us is None else min(due_us, self.asked_us + GRACE_US)


@dataclass
class ModelWorker:
    """A worker on duty. `waiting` is the open lease call, if there is one."""

    session: int
    offers: dict[str, str]
    """The versions of kinds that it offers, each with its code."""
    heard_us: int
    collects: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of these, what it collects: how many jobs run together, and how long the next one waits."""
    name: str = ""
    free_slots: int = 0
    waiting: object | None = None
    breakers: tuple[OpenBreaker, ...] = ()
    held: set[int] = field(default_factory=set)


@dataclass
class ModelSchedule:
    """A schedule as the model knows it. Instants as they are recorded."""

    definition: Schedule
    owner: str
    created_us: int
    after_us: int
    due_us: int | None
    is_paused: bool = False
    last_us: int | None = None
    last_job: int | None = None
    last_run: int | None = None
    plan: dict[str, Any] | None = None
    """What its runs go by."""
