"""All metrics are in one registry, have a help text, and are rendered in Prometheus' format."""

import re
import time
from collections.abc import Collection, Iterable

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

import router
from router.telemetry import metrics, registries
from tests import collectors

DOCUMENTED = collectors.list_documented_metrics()
WEB, WORKER, SHARED = DOCUMENTED["web"], DOCUMENTED["worker"], DOCUMENTED["shared"]
LABELS = WEB | WORKER | SHARED


def render_families(roles: Collection[registries.Role] = registries.ROLES) -> dict:
    text = metrics.render("", roles)[0].decode()
    return {family.name: family for family in parser.text_string_to_metric_families(text)}


def filter_own(families: Iterable[str]) -> set[str]:
    return {name for name in families if name.startswith("incident_router_")}


def test_every_metric_exists_with_help():
    families = render_families()
    assert LABELS.keys() <= families.keys()
    assert all(len(families[name].documentation) > 20 for name in LABELS)


def test_every_metric_is_documented_with_its_labels():
    assert {name: metric.labels for name, metric in collectors.list_metrics().items()} == LABELS


@pytest.mark.parametrize(
    ("roles", "exported"),
    [({"web"}, WEB | SHARED), ({"worker"}, WORKER | SHARED), ({"web", "worker"}, LABELS)],
    ids=["web", "worker", "both"],
)
def test_process_exports_only_the_metrics_of_its_roles(roles, exported):
    assert filter_own(render_families(roles)) == exported.keys()


@pytest.mark.parametrize("role", ["web", "worker"])
def test_process_metrics_are_exported_by_every_process(role):
    families = render_families({role})
    others = families.keys() - filter_own(families)
    assert {"process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds"} <= others
    assert {"process_open_fds", "python_info", "python_gc_collections"} <= others
    [start] = families["process_start_time_seconds"].samples
    assert 1_600_000_000 < start.value <= time.time() + 60


@pytest.mark.parametrize("role", ["web", "worker"])
def test_build_info_has_the_version(role):
    [sample] = render_families({role})["incident_router_build_info"].samples
    assert (sample.labels, sample.value) == ({"version": router.__version__}, 1)


@pytest.mark.parametrize("name", LABELS)
def test_name_follows_the_conventions_of_prometheus(name):
    """Base units only. A timestamp ends in ``_timestamp_seconds``, a ratio in ``_ratio``."""
    kind = collectors.list_metrics()[name].kind
    assert re.fullmatch(r"incident_router_[a-z_]+", name)
    assert not re.search(r"_(milliseconds|ms|micros|minutes|hours|kib|mib|percent|total|count|sum)$", name)
    if kind == "histogram":
        assert name.endswith("_seconds")
    text = render_families()[name].documentation
    assert ("Unix time" in text) == name.endswith("_timestamp_seconds")
    assert ("as a share" in text) == name.endswith("_ratio")


def test_counter_has_no_created_series():
    metrics.deliveries.labels("metrics-test", "accepted").inc()
    assert b"_created" not in metrics.render()[0]


def test_counter_is_rendered_with_its_labels():
    metrics.operations.labels("on-call", "open", "done").inc(3)
    samples = {
        tuple(sorted(sample.labels.items())): sample.value
        for sample in render_families()["incident_router_operations"].samples
    }
    assert samples[("destination", "on-call"), ("operation", "open"), ("result", "done")] >= 3


@pytest.mark.parametrize(("seconds", "bound"), [(0.0009, "0.001"), (0.9, "1.0"), (299, "300.0"), (900, "+Inf")])
def test_open_latency_covers_milliseconds_to_five_minutes(seconds, bound):
    name = f"bucket-{bound}"
    metrics.accepted_to_opened_seconds.labels(name).observe(seconds)
    counted = [
        sample.labels["le"]
        for sample in render_families()["incident_router_accepted_to_opened_seconds"].samples
        if sample.name.endswith("_bucket") and sample.labels["destination"] == name and sample.value
    ]
    assert counted[0] == bound


TEXT = "text/plain; version=0.0.4; charset=utf-8"
PROMETHEUS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("accept", ["", "*/*", "text/html"])
def test_text_format_is_the_default(accept):
    rendered, content_type = metrics.render(accept)
    assert content_type == TEXT
    assert b"# EOF" not in rendered


def list_exemplars(destination: str) -> list[dict[str, str]]:
    rendered, content_type = metrics.render(PROMETHEUS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    families = {one.name: one for one in openmetrics.text_string_to_metric_families(rendered.decode())}
    return [
        sample.exemplar.labels
        for sample in families["incident_router_accepted_to_opened_seconds"].samples
        if sample.exemplar is not None and sample.labels["destination"] == destination
    ]


def test_openmetrics_has_incident_and_trace_as_exemplar():
    metrics.observe_opening("exemplary", 0.4, "IR-7F3K2QXM", TRACE)
    metrics.observe_opening("exemplary", 4.0, "IR-7F3K2QXN")
    assert list_exemplars("exemplary") == [
        {"reference": "IR-7F3K2QXM", "trace_id": "0af7651916cd43dd8448eb211c80319c"},
        {"reference": "IR-7F3K2QXN"},
    ]


def test_negative_open_latency_is_recorded_as_zero():
    """The clocks of two machines may differ."""
    metrics.observe_opening("early", -3.0, "IR-7F3K2QXP")
    rendered = metrics.render()[0].decode()
    assert 'incident_router_accepted_to_opened_seconds_sum{destination="early"} 0.0' in rendered


def test_text_format_has_no_exemplars():
    metrics.observe_opening("plain", 0.4, "IR-7F3K2QXQ")
    assert b"IR-7F3K2QXQ" not in metrics.render()[0]
