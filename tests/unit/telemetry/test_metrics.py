"""The metrics: all in one registry, each with a help, rendered as Prometheus reads them."""

import prometheus_client
import pytest
from prometheus_client import parser

from router.telemetry import metrics

LABELS = {
    "incident_router_deliveries": ("source", "outcome"),
    "incident_router_alerts": ("source", "outcome"),
    "incident_router_truncated_alerts": ("source",),
    "incident_router_decisions": ("rule",),
    "incident_router_quarantined": ("source",),
    "incident_router_operations": ("destination", "operation", "result"),
    "incident_router_inbox_entries": (),
    "incident_router_inbox_oldest_seconds": (),
    "incident_router_quarantine_dropped": (),
    "incident_router_archive_entries": (),
    "incident_router_quarantine_entries": (),
    "incident_router_dead_deliveries": (),
    "incident_router_redis_fullness": (),
    "incident_router_breaker_closed": (),
    "incident_router_circuit_open": ("destination",),
    "incident_router_archive_bytes": (),
    "incident_router_rules": (),
    "incident_router_rules_info": ("version",),
    "incident_router_rules_reloads": ("result",),
    "incident_router_rules_last_reload_success": (),
    "incident_router_rules_last_reload_seconds": (),
    "incident_router_rules_folder_refused": ("folder",),
    "incident_router_accepted_to_opened_seconds": ("destination",),
    "incident_router_worker_heartbeat_seconds": (),
}


def rendered() -> dict:
    return {family.name: family for family in parser.text_string_to_metric_families(metrics.render().decode())}


def test_every_metric_is_there_under_its_name_and_has_a_help():
    families = rendered()
    assert LABELS.keys() <= families.keys()
    assert all(len(families[name].documentation) > 20 for name in LABELS)


def test_every_metric_of_the_module_is_in_the_list_and_has_its_labels():
    kinds = (prometheus_client.Counter, prometheus_client.Gauge, prometheus_client.Histogram)
    found = {value._name: value._labelnames for value in vars(metrics).values() if isinstance(value, kinds)}
    assert found == LABELS


def test_nothing_of_the_process_wide_registry_is_rendered():
    assert all(name.startswith("incident_router_") for name in rendered())


def test_a_counter_has_no_series_for_its_birth():
    metrics.deliveries.labels("metrics-test", "accepted").inc()
    assert b"_created" not in metrics.render()


def test_what_was_counted_is_rendered_with_its_labels():
    metrics.operations.labels("on-call", "open", "done").inc(3)
    samples = {
        tuple(sorted(sample.labels.items())): sample.value
        for sample in rendered()["incident_router_operations"].samples
    }
    assert samples[("destination", "on-call"), ("operation", "open"), ("result", "done")] >= 3


@pytest.mark.parametrize(("seconds", "bound"), [(0.0009, "0.001"), (0.9, "1.0"), (299, "300.0"), (900, "+Inf")])
def test_the_time_to_an_open_incident_is_seen_from_a_millisecond_to_five_minutes(seconds, bound):
    name = f"bucket-{bound}"
    metrics.accepted_to_opened_seconds.labels(name).observe(seconds)
    counted = [
        sample.labels["le"]
        for sample in rendered()["incident_router_accepted_to_opened_seconds"].samples
        if sample.name.endswith("_bucket") and sample.labels["destination"] == name and sample.value
    ]
    assert counted[0] == bound


def test_the_content_type_is_that_of_the_text_format():
    assert metrics.CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
