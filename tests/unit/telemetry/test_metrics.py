"""The metrics: all in one registry, each with a help, rendered as Prometheus reads them."""

import prometheus_client
import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from router.telemetry import metrics

LABELS = {
    "incident_router_deliveries": ("source", "outcome"),
    "incident_router_alerts": ("source", "outcome"),
    "incident_router_truncated_alerts": ("source",),
    "incident_router_not_found": ("destination",),
    "incident_router_vendor_webhooks": ("destination", "outcome"),
    "incident_router_unreadable_rows": ("list",),
    "incident_router_notices": ("source", "code"),
    "incident_router_late_alerts": ("source",),
    "incident_router_skipped_silences": ("source",),
    "incident_router_polls": ("source", "result"),
    "incident_router_polled_alerts": ("source", "outcome"),
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
    "incident_router_contradictions": ("source",),
    "incident_router_storm_waiting": (),
    "incident_router_storms": (),
    "incident_router_circuit_open": ("destination",),
    "incident_router_duplicates_ended": ("destination",),
    "incident_router_redis_clock_set_back": (),
    "incident_router_omitted_fields": ("destination", "field", "code"),
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
    return {family.name: family for family in parser.text_string_to_metric_families(metrics.render()[0].decode())}


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
    assert b"_created" not in metrics.render()[0]


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


TEXT = "text/plain; version=0.0.4; charset=utf-8"
PROMETHEUS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("accept", ["", "*/*", "text/html"])
def test_who_does_not_ask_for_openmetrics_gets_the_text_format(accept):
    rendered, content_type = metrics.render(accept)
    assert content_type == TEXT
    assert b"# EOF" not in rendered


def exemplars(destination: str) -> list[dict[str, str]]:
    rendered, content_type = metrics.render(PROMETHEUS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    families = {one.name: one for one in openmetrics.text_string_to_metric_families(rendered.decode())}
    return [
        sample.exemplar.labels
        for sample in families["incident_router_accepted_to_opened_seconds"].samples
        if sample.exemplar is not None and sample.labels["destination"] == destination
    ]


def test_who_asks_for_openmetrics_gets_an_incident_and_its_trace_as_the_exemplar_of_how_long_it_took():
    metrics.opened("exemplary", 0.4, "IR-7F3K2QXM", TRACE)
    metrics.opened("exemplary", 4.0, "IR-7F3K2QXN")
    assert exemplars("exemplary") == [
        {"reference": "IR-7F3K2QXM", "trace_id": "0af7651916cd43dd8448eb211c80319c"},
        {"reference": "IR-7F3K2QXN"},
    ]


def test_an_incident_that_seems_to_be_open_before_its_alert_came_took_no_time():
    """Clocks of two machines may differ."""
    metrics.opened("early", -3.0, "IR-7F3K2QXP")
    rendered = metrics.render()[0].decode()
    assert 'incident_router_accepted_to_opened_seconds_sum{destination="early"} 0.0' in rendered


def test_the_text_format_has_no_exemplars():
    metrics.opened("plain", 0.4, "IR-7F3K2QXQ")
    assert b"IR-7F3K2QXQ" not in metrics.render()[0]
