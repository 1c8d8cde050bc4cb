"""Every label set that is known at startup is exported as 0."""

import typing

import pytest
from prometheus_client import parser

from router.domain import notices, publications
from router.telemetry import label_sets, metrics


def list_zeros(name: str, **labels: str) -> set[tuple[str, ...]]:
    """Return the other labels of a metric's series that are 0 and have these labels."""
    text = metrics.render()[0].decode()
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    suffixes = ("_bucket", "_sum")
    return {
        tuple(value for label, value in sample.labels.items() if label not in labels)
        for sample in families[name].samples
        if sample.value == 0 and labels.items() <= sample.labels.items() and not sample.name.endswith(suffixes)
    }


def each(values: typing.Iterable[str]) -> set[tuple[str, ...]]:
    return {(value,) for value in values}


@pytest.fixture(scope="module", autouse=True)
def _started():
    label_sets.start_web(["zero-source", "zero-polled"], ["zero-polled"], ["zero-page"])
    label_sets.start_rules(["zero-rule"])
    label_sets.start_worker(["zero-source"], ["zero-on-call"])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("deliveries", label_sets.DELIVERY_OUTCOMES),
        ("alerts", label_sets.ALERT_OUTCOMES),
        ("notices", typing.get_args(notices.Code)),
        ("webhook_duration_seconds", label_sets.CODES),
    ],
)
def test_source_has_every_value_of_the_other_label(name, values):
    assert list_zeros(f"incident_router_{name}", source="zero-source") == each(values)


@pytest.mark.parametrize("name", ["truncated_alerts", "quarantined", "late_alerts", "conflicting_deliveries"])
def test_source_has_its_counters(name):
    assert list_zeros(f"incident_router_{name}", source="zero-source") == {()}


def test_only_polled_sources_have_poll_counters():
    assert list_zeros("incident_router_polls", source="zero-polled") == each(label_sets.POLL_RESULTS)
    assert list_zeros("incident_router_polled_alerts", source="zero-polled") == each(label_sets.POLLED_OUTCOMES)
    assert list_zeros("incident_router_polls", source="zero-source") == set()


def test_destination_has_every_operation_with_every_result():
    labels = list_zeros("incident_router_operations", destination="zero-on-call")
    kinds, results = typing.get_args(publications.Kind), label_sets.OPERATION_RESULTS
    assert labels == {(kind, result) for kind in kinds for result in results}


@pytest.mark.parametrize("name", ["not_found", "duplicates_ended", "retractions", "accepted_to_opened_seconds"])
def test_destination_has_its_series(name):
    assert list_zeros(f"incident_router_{name}", destination="zero-on-call") == {()}


def test_circuit_breaker_of_a_destination_starts_closed():
    assert list_zeros("incident_router_circuit_breaker_state", destination="zero-on-call") == each(
        ["open", "half_open"]
    )


def test_destination_with_webhooks_has_every_outcome():
    labels = list_zeros("incident_router_vendor_webhooks", destination="zero-page")
    assert labels == each(label_sets.VENDOR_WEBHOOK_OUTCOMES)


def test_rules_and_no_rule_have_decision_counters():
    assert list_zeros("incident_router_decisions", rule="zero-rule") == {()}
    assert ("", "unknown_source") in {
        (sample.labels["source"], sample.labels["outcome"])
        for family in metrics.deliveries.collect()
        for sample in family.samples
    }
