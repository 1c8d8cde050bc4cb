"""Gauges without false zeros, and counters and histograms with a low cost per alert."""

import time
from collections.abc import Callable

import prometheus_client
import pytest

from router.telemetry import instruments
from router.web import source_metrics

BUCKETS = (0.01, 0.1, 1)
VALUES = (0.0, 0.01, 0.010001, 0.5, 1, 7.25)


def text(registry: prometheus_client.CollectorRegistry) -> str:
    return prometheus_client.generate_latest(registry).decode()


def test_gauge_has_no_value_before_it_is_set():
    registry = prometheus_client.CollectorRegistry()
    gauge = instruments.LateGauge("waiting", "How many wait.", registry=registry)
    assert text(registry).splitlines() == ["# HELP waiting How many wait.", "# TYPE waiting gauge"]
    gauge.set(0)
    assert text(registry).splitlines()[-1] == "waiting 0.0"


def test_histogram_is_exported_like_the_client_library_s():
    ours, theirs = prometheus_client.CollectorRegistry(), prometheus_client.CollectorRegistry()
    one = instruments.Histogram("took_seconds", "How long.", ["place", "code"], BUCKETS, ours)
    other = prometheus_client.Histogram(
        "took_seconds", "How long.", ["place", "code"], buckets=BUCKETS, registry=theirs
    )
    for value in VALUES:
        one.labels("here", "2xx").observe(value)
        other.labels("here", "2xx").observe(value)
    one.labels("there", "5xx")
    other.labels("there", "5xx")
    assert text(ours) == text(theirs)


def test_counter_is_exported_like_the_client_library_s():
    ours, theirs = prometheus_client.CollectorRegistry(), prometheus_client.CollectorRegistry()
    one = instruments.Counter("seen_total", "How many.", ["place", "code"], ours)
    other = prometheus_client.Counter("seen_total", "How many.", ["place", "code"], registry=theirs)
    for counter in (one, other):
        counter.labels("here", "2xx").inc()
        counter.labels("here", "2xx").inc(5)
        counter.labels('th"ere', "5xx")
    assert text(ours) == text(theirs)


def test_counter_refuses_a_wrong_number_of_labels():
    counter = instruments.Counter("seen_total", "How many.", ["place"], prometheus_client.CollectorRegistry())
    with pytest.raises(ValueError, match="seen has the labels place"):
        counter.labels("here", "there")


def test_wrong_number_of_labels_is_refused():
    histogram = instruments.Histogram("took", "How long.", ["place"], BUCKETS, prometheus_client.CollectorRegistry())
    with pytest.raises(ValueError, match="took has the labels place"):
        histogram.labels("here", "there")


def test_duration_is_measured_in_seconds():
    series = instruments.Series(BUCKETS)
    series.observe_since(instruments.clock() - 0.05)
    assert series.counts[1] + series.counts[2] + series.counts[3] == 1
    assert series.total >= 0.05


def cpu_seconds(work: Callable[[], object], times: int = 2_000, rounds: int = 15) -> float:
    """The CPU time of one call: the minimum of several rounds, to exclude other processes."""
    least = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            work()
        least = min(least, time.process_time() - began)
    return least / times


def test_measuring_is_cheaper_than_the_client_library_s_histogram():
    """About 0.25 microseconds instead of 0.55, including both readings of the clock."""
    library = prometheus_client.Histogram("t", "t", buckets=[0.001 * 2**n for n in range(14)], registry=None)
    measured = source_metrics.SourceMetrics("measured")

    def respond() -> None:
        measured.observe_duration(202, instruments.clock())

    assert cpu_seconds(respond) < cpu_seconds(lambda: library.observe(0.03))
