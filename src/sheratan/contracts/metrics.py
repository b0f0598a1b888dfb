"""Every metric: its name, type, labels and meaning. Nothing else is ever exposed under the name of Sheratan."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

__all__ = ["BUCKETS_SECONDS", "METRICS", "OTHER", "Metric", "MetricName", "Sample", "Samples", "Spread"]

OTHER: Final = "other"
"""The value of `kind` and `queue` for all combinations beyond `metrics.lanes_max`."""

_BUCKET_BITS: Final = range(10, 38, 2)
BUCKETS_SECONDS: Final[tuple[float, ...]] = tuple((1 << bits) / 1_000_000 for bits in _BUCKET_BITS)
"""Bounds of every histogram: from a millisecond to 19 hours, each four times the one before."""

MetricName = Literal[
    "sheratan_info",
    "sheratan_ready",
    "sheratan_system_state",
    "sheratan_jobs_submitted_total",
    "sheratan_job_wait_seconds",
    "sheratan_jobs_ended_total",
    "sheratan_job_run_seconds",
    "sheratan_charged_total",
    "sheratan_jobs",
    "sheratan_queue_jobs",
    "sheratan_queue_head_age_seconds",
    "sheratan_dead_letters",
    "sheratan_alerts_open",
    "sheratan_alert_notices_total",
    "sheratan_runs_open",
    "sheratan_approvals_open",
    "sheratan_timer_lag_seconds",
    "sheratan_schedule_lag_seconds",
    "sheratan_workers",
    "sheratan_guard_state",
    "sheratan_guard_calls_total",
    "sheratan_guard_calls_in_flight",
    "sheratan_guard_calls_limit",
    "sheratan_commands_waiting",
    "sheratan_commands_wait_seconds",
    "sheratan_commands_refused_total",
    "sheratan_batch_seconds",
    "sheratan_commit_seconds",
    "sheratan_commits_failed_total",
    "sheratan_entries_total",
    "sheratan_journal_entries",
    "sheratan_database_bytes",
    "sheratan_loop_lag_seconds",
    "sheratan_loop_blocked_total",
    "sheratan_pressure",
    "sheratan_memory_bytes",
    "sheratan_memory_limit_bytes",
    "sheratan_events_dropped_total",
]


class Metric(NamedTuple):
    """A metric: its type, its labels and what it says. Counters and histograms begin at 0 with the process."""

    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str


class Spread(NamedTuple):
    """Durations: how many there are within each bound of a histogram, in all, and their sum in seconds."""

    within: list[int]
    count: int
    sum_seconds: float

    @classmethod
    def of(cls, bits: dict[int, int], sum_us: int) -> Spread:
        """From counts by the number of bits that a duration in microseconds has."""
        within = [sum(count for size, count in bits.items() if size <= bound) for bound in _BUCKET_BITS]
        return cls(within, sum(bits.values()), sum_us / 1_000_000)


Sample = tuple[tuple[str, ...], float | Spread]
"""The values of a metric's labels, and its value."""

Samples = dict[MetricName, list[Sample]]

_LANE: Final = ("kind", "queue")

METRICS: Final[dict[MetricName, Metric]] = {
    "sheratan_info": Metric("gauge", ("version",), "1; the version that runs"),
    "sheratan_ready": Metric("gauge", (), "1 when jobs are taken in, as `/readyz` says it"),
    "sheratan_system_state": Metric("gauge", ("state",), "1 for the state of the system, 0 for all others"),
    "sheratan_jobs_submitted_total": Metric("counter", _LANE, "jobs that came in"),
    "sheratan_job_wait_seconds": Metric(
        "histogram",
        _LANE,
        "how long jobs were ready before an attempt started; its count is that of the starts",
    ),
    "sheratan_jobs_ended_total": Metric(
        "counter", (*_LANE, "state"), "jobs that have ended, by `succeeded`, `failed` and `cancelled`"
    ),
    "sheratan_job_run_seconds": Metric("histogram", _LANE, "how long the attempts ran that ended a job"),
    "sheratan_charged_total": Metric(
        "counter",
        (*_LANE, "unit"),
        "what attempts were charged, in minor units; refunds take nothing from it",
    ),
    "sheratan_jobs": Metric(
        "gauge", ("state",), "open jobs: `queued`, `scheduled` (or waiting), `running`, `blocked`"
    ),
    "sheratan_queue_jobs": Metric("gauge", ("queue",), "jobs of a queue that are ready"),
    "sheratan_queue_head_age_seconds": Metric(
        "gauge", ("queue",), "how long the job has been ready that is next in line; the longest of its kinds"
    ),
    "sheratan_dead_letters": Metric("gauge", (), "failed jobs that were neither replayed nor discarded"),
    "sheratan_alerts_open": Metric(
        "gauge", ("severity",), "alerts that are open, by `warning` and `critical`"
    ),
    "sheratan_alert_notices_total": Metric(
        "counter",
        ("target", "outcome"),
        "notices by `taken`, `given_up` and `held_back`; `failed` are tries that were not taken",
    ),
    "sheratan_runs_open": Metric("gauge", (), "runs of workflows that are open"),
    "sheratan_approvals_open": Metric("gauge", (), "requests for approval that are open"),
    "sheratan_timer_lag_seconds": Metric(
        "gauge", (), "how long the most overdue timer of a job has been due"
    ),
    "sheratan_schedule_lag_seconds": Metric("gauge", (), "how long the most overdue firing has been due"),
    "sheratan_workers": Metric("gauge", (), "workers on duty"),
    "sheratan_guard_state": Metric(
        "gauge",
        ("dependency", "state"),
        "1 for the state of the breaker, `closed`, `half_open` or `open`, 0 for the others",
    ),
    "sheratan_guard_calls_total": Metric(
        "counter",
        ("dependency", "outcome"),
        "guarded calls of the server's own: `succeeded`, `failed`, `declined`, `abandoned` by it, or `refused`",
    ),
    "sheratan_guard_calls_in_flight": Metric("gauge", ("dependency",), "calls of a dependency under way"),
    "sheratan_guard_calls_limit": Metric(
        "gauge", ("dependency",), "calls of it that may be under way at once; fewer while it is slow"
    ),
    "sheratan_commands_waiting": Metric(
        "gauge", (), "commands that wait for the decider, an idle worker's among them"
    ),
    "sheratan_commands_wait_seconds": Metric(
        "gauge", (), "how long a command waits for the engine that comes now"
    ),
    "sheratan_commands_refused_total": Metric(
        "counter", ("code",), "commands that the engine refused, by the error's code"
    ),
    "sheratan_batch_seconds": Metric(
        "histogram", (), "how long a batch took, from its first command to its answers"
    ),
    "sheratan_commit_seconds": Metric("histogram", (), "how much of that the database took"),
    "sheratan_commits_failed_total": Metric("counter", (), "batches that could not be written"),
    "sheratan_entries_total": Metric("counter", ("type",), "journal entries written, by type"),
    "sheratan_journal_entries": Metric("gauge", (), "entries that the journal has had, archived ones too"),
    "sheratan_database_bytes": Metric("gauge", (), "size of the database's file, without its log"),
    "sheratan_loop_lag_seconds": Metric(
        "gauge", (), "how long the event loop took to come round when this was asked"
    ),
    "sheratan_loop_blocked_total": Metric(
        "counter", (), "calls that have kept the event loop from its work for `pressure.blocked_seconds`"
    ),
    "sheratan_pressure": Metric("gauge", ("level",), "1 for the level of the pressure, 0 for the others"),
    "sheratan_memory_bytes": Metric("gauge", (), "memory that is used of what there is"),
    "sheratan_memory_limit_bytes": Metric(
        "gauge", (), "memory that there is: of several limits the one that is closest"
    ),
    "sheratan_events_dropped_total": Metric(
        "counter",
        ("listener",),
        "events that a listener of the telemetry lost: it did not keep up, or failed",
    ),
}
assert tuple(METRICS) == get_args(MetricName)
