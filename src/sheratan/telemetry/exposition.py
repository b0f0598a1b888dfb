"""Metrics as the text that Prometheus reads (its text format, version 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sheratan.contracts.metrics import BUCKETS_SECONDS, METRICS, Metric, MetricName, Sample, Samples, Spread

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

__all__ = ["CONTENT_TYPE", "expose"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def expose(samples: Samples) -> str:
    """The text; memory, processor time and open files of this process are there under the usual names."""
    from prometheus_client import generate_latest  # noqa: PLC0415 - most programs are never asked

    return generate_latest(_Families(samples)).decode()


class _Families:
    """Fulfils `prometheus_client.registry.Collector`."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Family]:
        """Every metric with its samples, and what the host knows of this process."""
        from prometheus_client import ProcessCollector  # noqa: PLC0415 - as above

        for name, metric in METRICS.items():
            yield _family(name, metric, self._samples.get(name, []))
        yield from ProcessCollector(registry=None).collect()


def _family(name: MetricName, metric: Metric, samples: list[Sample]) -> Family:
    from prometheus_client import core  # noqa: PLC0415 - as above

    if metric.kind == "histogram":
        spreads = core.HistogramMetricFamily(name, metric.meaning, labels=metric.labels)
        for labels, value in samples:
            assert isinstance(value, Spread)
            bounds = zip([*map(str, BUCKETS_SECONDS), "+Inf"], [*value.within, value.count], strict=True)
            spreads.add_metric(labels, list(bounds), value.sum_seconds)
        return spreads
    make = core.CounterMetricFamily if metric.kind == "counter" else core.GaugeMetricFamily
    family = make(name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        assert not isinstance(value, Spread)
        family.add_metric(labels, value)
    return family
