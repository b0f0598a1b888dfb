"""Metrics as samples: what the engine has counted, and what it and the database hold at this moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, get_args

from sheratan.contracts.alert_targets import AlertSeverity
from sheratan.contracts.guards import BreakerState, GuardRecord
from sheratan.contracts.metrics import OTHER, Sample, Samples
from sheratan.contracts.pressure import LEVELS, PressureRecord
from sheratan.contracts.system import SystemState
from sheratan.engine.engine import Engine
from sheratan.engine.meter import Durations, Meter
from sheratan.engine.state import State
from sheratan.store.port import Reader

__all__ = ["measure_engine", "measure_store"]

_LOCATIONS: Final = {
    "ready": "queued",
    "timer": "scheduled",
    "waiting": "waiting",
    "lease": "running",
    "blocked": "blocked",
}

Name = tuple[str, ...]


def measure_engine(engine: Engine) -> Samples:
    """What is known in memory. Only between batches: that is, on the engine's loop."""
    state, now_us = engine.state, engine.now_us()
    current = engine.unstored_state or state.system.current
    names = _lane_names(state, engine.limits.metric_lanes_max)
    return {
        "sheratan_info": [((engine.version,), 1)],
        "sheratan_ready": _one(all(engine.checks.values())),
        "sheratan_system_state": [((one,), one == current) for one in get_args(SystemState)],
        **_measure_lanes(engine.meter, names),
        "sheratan_charged_total": _charged(engine.meter, names, engine.limits.metric_lanes_max),
        **_measure_queues(state, now_us, engine.limits.metric_lanes_max),
        **_measure_alerts(engine),
        "sheratan_runs_open": _one(len(state.runs.open)),
        "sheratan_timer_lag_seconds": _one(_lag(now_us, state.next_due_us)),
        "sheratan_schedule_lag_seconds": _one(_lag(now_us, state.next_firing_us)),
        "sheratan_workers": _one(len(state.sessions)),
        **_measure_guards(engine.guards()),
        "sheratan_commands_waiting": _one(engine.commands_waiting),
        **_measure_process(engine.meter),
        **_measure_pressure(engine.pressure),
        "sheratan_journal_entries": _one(state.head.seq),
        "sheratan_events_dropped_total": _by_name(engine.telemetry.dropped),
    }


def measure_store(reader: Reader) -> Samples:
    """What has to be looked up in the database."""
    counts = reader.counts()
    return {
        "sheratan_jobs": [((name,), counts.get(place, 0)) for place, name in _LOCATIONS.items()],
        "sheratan_dead_letters": _one(reader.dead_letter_count()),
        "sheratan_approvals_open": _one(len(reader.open_approvals())),
        "sheratan_database_bytes": _one(reader.database_bytes()),
    }


def _measure_alerts(engine: Engine) -> Samples:
    facts = (engine.state.alerts | engine.unwritten_alerts).values()
    opened = Counter(fact.severity for fact in facts if fact.is_open)
    return {
        "sheratan_alerts_open": [((one,), opened[one]) for one in get_args(AlertSeverity)],
        "sheratan_alert_notices_total": list(engine.meter.notices.items()),
    }


def _measure_process(meter: Meter) -> Samples:
    batches = meter.batches.spreads()
    return {
        "sheratan_commands_refused_total": _by_name(meter.refused),
        "sheratan_batch_seconds": [((), batches["batch"])],
        "sheratan_commit_seconds": [((), batches["commit"])],
        "sheratan_commits_failed_total": _one(meter.commits_failed),
        "sheratan_loop_blocked_total": _one(meter.loop_blocked),
        "sheratan_entries_total": _by_name(meter.entries),
    }


def _measure_guards(guards: Sequence[GuardRecord]) -> Samples:
    """What the worker within this process calls. There are at most as many of them as a worker may guard."""
    return {
        "sheratan_guard_state": [
            ((one.dependency, state), one.state == state)
            for one in guards
            for state in get_args(BreakerState)
        ],
        "sheratan_guard_calls_total": [
            ((one.dependency, outcome), count) for one in guards for outcome, count in one.calls.items()
        ],
        "sheratan_guard_calls_in_flight": [((one.dependency,), one.in_flight) for one in guards],
        "sheratan_guard_calls_limit": [((one.dependency,), one.limit) for one in guards],
    }


def _measure_pressure(found: PressureRecord) -> Samples:
    used, most = found.memory_bytes, found.memory_limit_bytes
    return {
        "sheratan_commands_wait_seconds": _one(found.wait_us / 1_000_000),
        "sheratan_pressure": [((level,), level == found.level) for level in LEVELS],
        "sheratan_memory_bytes": [] if used is None else _one(used),
        "sheratan_memory_limit_bytes": [] if most is None else _one(most),
    }


def _measure_lanes(meter: Meter, names: Callable[[int], Name]) -> Samples:
    submitted, ended = Counter[Name](), Counter[Name]()
    for lane, count in meter.submitted.items():
        submitted[names(lane)] += count
    for lane, states in meter.ended.items():
        for state, count in states.items():
            ended[*names(lane), state] += count
    return {
        "sheratan_jobs_submitted_total": list(submitted.items()),
        "sheratan_job_wait_seconds": _spreads(meter.waited, names),
        "sheratan_jobs_ended_total": list(ended.items()),
        "sheratan_job_run_seconds": _spreads(meter.ran, names),
    }


def _charged(meter: Meter, names: Callable[[int], Name], most: int) -> list[Sample]:
    """By kind, queue and unit; prices may come in ever other units, so those beyond so many are one."""
    charged = Counter[Name]()
    for (lane, unit), amount in meter.charged.items():
        name = (*names(lane), unit)
        charged[name if name in charged or len(charged) < most else (OTHER, OTHER, OTHER)] += amount
    return list(charged.items())


def _measure_queues(state: State, now_us: int, most: int) -> Samples:
    """What is ready in each queue, named in the order in which the queues came up."""
    places: dict[str, int] = {}
    for lane in state.lanes.values():
        places.setdefault(lane.queue, len(places))
    depths, ages_us = Counter[str](), dict[str, int]()
    for (_, queue), backlog in state.backlogs.items():
        depths[queue if places[queue] < most else OTHER] += backlog.depth
    for number, lane in state.busy_lanes.items():
        first = state.windows[number].first
        queue = lane.queue if places[lane.queue] < most else OTHER
        if first is not None:
            ages_us[queue] = max(ages_us.get(queue, 0), now_us - first.since_us)
    return {
        "sheratan_queue_jobs": _by_name(depths),
        "sheratan_queue_head_age_seconds": [
            ((queue,), ages_us.get(queue, 0) / 1_000_000) for queue in depths
        ],
    }


def _lane_names(state: State, most: int) -> Callable[[int], Name]:
    """By the number of a lane, its kind and queue; once there are so many of them, further ones are `other`.

    Numbers are given in the order in which lanes come up, so a name stays what it is, over restarts, too.
    """
    known: dict[Name, None] = {}
    names: dict[int, Name] = {}
    for number, lane in sorted(state.lane_by_number.items()):
        name = (lane.kind, lane.queue)
        if name in known or len(known) < most:
            known[name] = None
            names[number] = name
    return lambda number: names.get(number, (OTHER, OTHER))


def _spreads(durations: Durations[int], names: Callable[[int], Name]) -> list[Sample]:
    return list(durations.renamed(names).spreads().items())


def _by_name(counts: Counter[str]) -> list[Sample]:
    return [((name,), count) for name, count in counts.items()]


def _one(value: float) -> list[Sample]:
    return [((), value)]


def _lag(now_us: int, due_us: int | None) -> float:
    return 0.0 if due_us is None else max(0, now_us - due_us) / 1_000_000
