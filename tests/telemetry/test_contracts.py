"""The closed sets: every entry has a level, every metric a name that Prometheus' users expect."""

from __future__ import annotations

from sheratan.contracts.journal import ENTRY_TYPES
from sheratan.contracts.metrics import BUCKETS_SECONDS, METRICS, Spread
from sheratan.contracts.telemetry import ENTRY_LEVELS, PROCESS_EVENTS, event_name

LABELS = {
    "kind", "queue", "state", "code", "type", "listener", "version", "dependency", "outcome", "level", "severity",
    "target", "unit",
}  # fmt: skip


def test_every_type_of_entry_has_one_level() -> None:
    assert sorted(ENTRY_LEVELS) == sorted(ENTRY_TYPES)


def test_events_of_the_process_have_names_that_no_entry_has() -> None:
    names = {event_name(event) for event in PROCESS_EVENTS}
    assert len(names) == len(PROCESS_EVENTS)
    assert names.isdisjoint(ENTRY_TYPES)


def test_names_and_labels_of_metrics_follow_the_conventions() -> None:
    for name, metric in METRICS.items():
        assert name.startswith("sheratan_")
        assert name.endswith("_total") == (metric.kind == "counter"), name
        assert metric.kind != "histogram" or name.endswith("_seconds")
        assert set(metric.labels) <= LABELS, "an id, a key or a tenant would grow without a bound"


def test_a_duration_counts_within_every_bound_that_is_not_below_it() -> None:
    for duration_us in (0, 1, 1_023, 1_024, 4_095, 4_096, 10**6, 1 << 36, 1 << 50):
        found = Spread.of({duration_us.bit_length(): 3}, 3 * duration_us)
        within = [3 if duration_us < bound * 1_000_000 else 0 for bound in BUCKETS_SECONDS]
        assert (found.within, found.count) == (within, 3)
