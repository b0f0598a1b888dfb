"""The pages about metrics and about the events that logs and metrics are made of."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from sheratan.contracts.metrics import BUCKETS_SECONDS, METRICS
from sheratan.contracts.telemetry import (
    ENTRY_LEVELS,
    LEVELS,
    PROCESS_EVENTS,
    EntryCommitted,
    Event,
    event_name,
)
from tools.markdown import table


def metrics_page() -> Iterable[str]:
    """Every metric."""
    yield (
        "`sheratan metrics` prints them, and `/metrics` serves them where"
        " [`metrics.listen`](settings.md) says. How to use them: [Watch a server](../how-to/observe.md)."
    )
    yield (
        "Counters and histograms begin at 0 with each start of the process. The values of `kind` and `queue` are"
        " bounded: beyond `limits.metric_lanes_max` combinations, further ones are counted together as `other`. No"
        " label holds an id, a key, a tenant or a person. Beside these there is what the host knows of the process,"
        " as `process_resident_memory_bytes` and `process_cpu_seconds_total`."
    )
    rows = [
        (f"`{name}`", metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.meaning)
        for name, metric in METRICS.items()
    ]
    yield table(("Metric", "Type", "Labels", "Meaning"), rows)
    bounds = ", ".join(f"{bound:g}" for bound in BUCKETS_SECONDS)
    yield f"The bounds of every histogram, in seconds: {bounds}."


def telemetry_page() -> Iterable[str]:
    """Every event and how urgent it is."""
    yield (
        "Logs and metrics are made of one stream of events. Most are [journal entries](events.md), told once they are"
        " committed and never before; the others are about the process itself. Nothing is decided by an event, and"
        " none is stored: what counts is in the journal."
    )
    yield "## Events of the process"
    rows = [
        (f"`{event_name(event)}`", _level(event), _fields(event), _first_line(event))
        for event in PROCESS_EVENTS
    ]
    yield table(("Event", "Level", "Fields", "Meaning"), rows)
    yield "## Journal entries"
    fields = ", ".join(
        f"`{name}`" for name in EntryCommitted.__struct_fields__ if name not in ("at_us", "type")
    )
    yield (
        f"Their name is the entry's type, and their fields are {fields}; a subject that is a job or a run stands in"
        " a line of the log as `job` or `run`."
    )
    for level in LEVELS:
        names = [f"`{name}`" for name, found in ENTRY_LEVELS.items() if found == level]
        if names:
            yield f"At the level `{level}`: {', '.join(names)}."


def _level(event: type[Event]) -> str:
    own = event.__dict__.get("level")
    return "info or warning" if own is not None else event.LEVEL


def _fields(event: type[Event]) -> str:
    return ", ".join(f"`{name}`" for name in event.__struct_fields__ if name != "at_us")


def _first_line(event: type[Event]) -> str:
    return (inspect.getdoc(event) or "").partition("\n")[0]
