"""Metrics that the client library lacks: a gauge without a value, and counters and histograms for hot paths."""

import bisect
import itertools
import time
from collections.abc import Iterable, Sequence

import prometheus_client
from prometheus_client import metrics_core, utils

clock = time.perf_counter
"""The clock of durations, in seconds."""


class LateGauge(prometheus_client.Gauge):
    """A gauge without labels that is exported only after its first ``set``.

    Until then the value is unknown, and 0 would be false: the inbox of a worker that can't reach Redis may not be
    empty.
    """

    _is_set = False

    def set(self, value: float) -> None:
        """Set the value, and export it from now on."""
        self._is_set = True
        super().set(value)

    def collect(self) -> Iterable[metrics_core.Metric]:
        """Describe the gauge, with its value if it has one."""
        return super().collect() if self._is_set else self.describe()


class Count:
    """One label set of a ``Counter``."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def inc(self, amount: int = 1) -> None:
        """Add to the count. Only the thread of the event loop may call this method."""
        self.value += amount


class Counter:
    """A counter for hot paths. Without locks and exemplars, ``inc`` takes 1/5 of the client library's time.

    ``name`` ends in ``_total``.
    """

    def __init__(
        self, name: str, documentation: str, labelnames: Sequence[str], registry: prometheus_client.CollectorRegistry
    ) -> None:
        self.name = name.removesuffix("_total")
        self.documentation = documentation
        self.labelnames = tuple(labelnames)
        self._counts: dict[tuple[str, ...], Count] = {}
        registry.register(self)

    def labels(self, *values: str) -> Count:
        """Return the count of these label values, and create it if it is new. Callers on a hot path keep it."""
        count = self._counts.get(values)
        if count is None:
            if len(values) != len(self.labelnames):
                raise ValueError(f"{self.name} has the labels {', '.join(self.labelnames)}")
            count = self._counts[values] = Count()
        return count

    def describe(self) -> Iterable[metrics_core.Metric]:
        """Return the name, help, and type."""
        return [metrics_core.CounterMetricFamily(self.name, self.documentation, labels=self.labelnames)]

    def collect(self) -> Iterable[metrics_core.Metric]:
        """Return all counts."""
        family = metrics_core.CounterMetricFamily(self.name, self.documentation, labels=self.labelnames)
        for values, count in list(self._counts.items()):
            family.add_metric(values, count.value)
        return [family]


class Series:
    """One label set of a ``Histogram``."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count a value. Only the thread of the event loop may call this method."""
        # `le` means less or equal, so a value that equals a bound belongs to the bucket of this bound.
        self.counts[bisect.bisect_left(self._bounds, seconds)] += 1
        self.total += seconds

    def observe_since(self, began: float) -> None:
        """Count the seconds since ``began``, a value of ``clock``."""
        self.observe(clock() - began)


class Histogram:
    """A histogram for hot paths. Without locks and exemplars, ``observe`` takes 1/5 of the client library's time."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str],
        buckets: Sequence[float],
        registry: prometheus_client.CollectorRegistry,
    ) -> None:
        self.name = name
        self.documentation = documentation
        self.labelnames = tuple(labelnames)
        self._bounds = tuple(buckets)
        # The bounds are formatted as the client library does it, so that both kinds of histograms have equal labels.
        self._le = [*map(utils.floatToGoString, buckets), "+Inf"]
        self._series: dict[tuple[str, ...], Series] = {}
        registry.register(self)

    def labels(self, *values: str) -> Series:
        """Return the series of these label values, and create it if it is new. Callers on a hot path keep it."""
        series = self._series.get(values)
        if series is None:
            if len(values) != len(self.labelnames):
                raise ValueError(f"{self.name} has the labels {', '.join(self.labelnames)}")
            series = self._series[values] = Series(self._bounds)
        return series

    def describe(self) -> Iterable[metrics_core.Metric]:
        """Return the name, help, and type."""
        return [metrics_core.HistogramMetricFamily(self.name, self.documentation, labels=self.labelnames)]

    def collect(self) -> Iterable[metrics_core.Metric]:
        """Return all series."""
        family = metrics_core.HistogramMetricFamily(self.name, self.documentation, labels=self.labelnames)
        for values, series in list(self._series.items()):
            # Prometheus' buckets are cumulative. Adding them up here keeps `observe` at one addition.
            counts = map(float, itertools.accumulate(series.counts))
            family.add_metric(values, list(zip(self._le, counts, strict=True)), series.total)
        return [family]
