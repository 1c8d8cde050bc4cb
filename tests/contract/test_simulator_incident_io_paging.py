"""incident.io's Python client sends alert events and escalations to the simulated incident.io, and reads both."""

import pytest

from router.simulator import server
from router.simulator.incident_io import alerts, escalations
from tests.contract import incident_io_client, sdks

KEY = "any key"
done = incident_io_client.perform


@pytest.fixture(scope="module")
def simulator():
    with server.Server() as running:
        yield running


@pytest.fixture
def paging(simulator):
    return simulator.app.state.vendors["incident-io"].paging


@pytest.fixture
def vendor(simulator):
    for one in simulator.app.state.vendors.values():
        one.reset()
    base = f"{simulator.url}/incident-io"
    with sdks.incident_io.AuthenticatedClient(base_url=base, token=KEY, raise_on_unexpected_status=True) as client:
        yield client


def event(vendor, status: str = "firing", key: str = "IR-1", *, http_status: int = 202, source=alerts.SOURCE, **more):
    fields = {"title": "Checkout fails", "status": status, "deduplication_key": key, **more}
    body = sdks.incident_io_models.AlertEventsCreateHTTPPayloadV2.from_dict(fields)
    return done("alert_events_v2", "alert_events_v2_create_http", vendor, source, status=http_status, body=body)


def list_alerts(vendor, **filters):
    """List the alerts that the SDK reads, with one value per filter."""
    models = sdks.incident_io_models
    made = {
        name: getattr(models, f"AlertsV2List{name.title().replace('_', '')}").from_dict(value)
        for name, value in filters.items()
    }
    return incident_io_client.get_operation("alerts_v2", "alerts_v2_list")(client=vendor, **made).parsed.alerts


def escalate(vendor, key: str = "k", *, status: int = 201, **more):
    fields = {"idempotency_key": key, "title": "Checkout fails", **more}
    body = sdks.incident_io_models.EscalationsCreatePayloadV2.from_dict(fields)
    return done("escalations_v2", "escalations_v2_create", vendor, status=status, body=body)


def test_events_with_one_key_are_one_alert(vendor):
    assert event(vendor).deduplication_key == "IR-1"
    event(vendor, description="Worse.", metadata={"severity": "critical"}, source_url="https://grafana.example/1")
    (alert,) = list_alerts(vendor)
    assert (alert.description, alert.source_url) == ("Worse.", "https://grafana.example/1")
    event(vendor, "resolved")
    (alert,) = list_alerts(vendor)
    assert alert.status.value == "resolved"
    assert alert.resolved_at


def test_resolved_event_without_alert_is_dropped(vendor):
    assert event(vendor, "resolved").status == "success"
    assert list_alerts(vendor) == []


@pytest.mark.parametrize(("refires", "status", "pages"), [(False, "resolved", 1), (True, "firing", 2)])
def test_firing_event_after_resolution_reopens_if_configured(vendor, paging, refires, status, pages):
    paging.alerts.refires = refires
    for word in ("firing", "resolved", "firing"):
        event(vendor, word)
    (alert,) = paging.alerts.known.values()
    assert (alert.status, alert.pages) == (status, pages)


def test_alerts_are_filtered_by_key_status_and_source(vendor):
    event(vendor)
    event(vendor, key="IR-2")
    event(vendor, "resolved", "IR-2")
    assert [alert.deduplication_key for alert in list_alerts(vendor, deduplication_key={"is": ["IR-2"]})] == ["IR-2"]
    assert [alert.deduplication_key for alert in list_alerts(vendor, status={"one_of": ["firing"]})] == ["IR-1"]
    assert list_alerts(vendor, alert_source={"one_of": [alerts.OTHER_SOURCE]}) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 1001}, "title"),
        ({"deduplication_key": ""}, "deduplication_key"),
        ({"deduplication_key": "x" * 256}, "deduplication_key"),
    ],
)
def test_event_with_invalid_fields_is_rejected(vendor, change, field):
    answer = event(vendor, http_status=422, **{"key": change.pop("deduplication_key", "k"), **change})
    assert answer.errors[0].source.field == field


def test_event_without_key_is_rejected(vendor):
    body = sdks.incident_io_models.AlertEventsCreateHTTPPayloadV2.from_dict({"title": "x", "status": "firing"})
    answer = done("alert_events_v2", "alert_events_v2_create_http", vendor, alerts.SOURCE, status=422, body=body)
    assert answer.errors[0].source.field == "deduplication_key"


def test_unknown_source_is_not_found(vendor):
    assert event(vendor, source="01NOBODY", http_status=404).type_ == "not_found"


def test_source_token_is_no_account_key(vendor, paging):
    paging.alerts.token = "of-the-source"
    assert event(vendor, http_status=401).type_ == "authentication_error"
    with sdks.incident_io.AuthenticatedClient(base_url=vendor._base_url, token="of-the-source") as own:
        assert event(own).status == "success"
    shown = done("alert_sources_v2", "alert_sources_v2_show", vendor, alerts.SOURCE).alert_source
    assert (shown.source_type.value, shown.secret_token) == ("http", "of-the-source")


def test_alert_is_attached_once(vendor):
    incident = incident_io_client.create_v2(vendor).id
    event(vendor)
    (alert,) = list_alerts(vendor)
    body = sdks.incident_io_models.AlertsCreateIncidentAlertPayloadV2(alert_id=alert.id, incident_id=incident)
    first = done("alerts_v2", "alerts_v2_create_incident_alert", vendor, status=201, body=body).incident_alert
    again = done("alerts_v2", "alerts_v2_create_incident_alert", vendor, status=201, body=body).incident_alert
    assert (first.id, first.incident.id) == (again.id, incident)
    listed_there = done("alerts_v2", "alerts_v2_list_incident_alerts", vendor, alert_id=alert.id).incident_alerts
    assert [one.id for one in listed_there] == [first.id]


def test_alert_detached_by_a_person_is_not_attached(vendor, paging):
    incident = incident_io_client.create_v2(vendor).id
    event(vendor)
    (alert,) = list_alerts(vendor)
    paging.alerts.unrelated.add((alert.id, incident))
    body = sdks.incident_io_models.AlertsCreateIncidentAlertPayloadV2(alert_id=alert.id, incident_id=incident)
    assert done("alerts_v2", "alerts_v2_create_incident_alert", vendor, status=422, body=body).errors


def test_escalation_with_one_key_pages_once(vendor):
    incident = incident_io_client.create_v2(vendor).id
    first = escalate(vendor, escalation_path_id=escalations.PRIMARY, incident_id=incident).escalation
    again = escalate(vendor, escalation_path_id=escalations.PRIMARY, title="Other").escalation
    assert (first.id, again.title) == (again.id, "Checkout fails")
    assert [related_incident.id for related_incident in first.related_incidents] == [incident]
    by_key = sdks.incident_io_models.EscalationsV2ListIdempotencyKey.from_dict({"is": ["k"]})
    found = done("escalations_v2", "escalations_v2_list", vendor, idempotency_key=by_key).escalations
    assert [escalation.id for escalation in found] == [first.id]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "escalation_path_id"),
        ({"escalation_path_id": escalations.PRIMARY, "user_ids": [escalations.USER]}, "escalation_path_id"),
        ({"escalation_path_id": "01NOBODY"}, "escalation_path_id"),
        ({"user_ids": ["01NOBODY"]}, "user_ids"),
        ({"user_ids": [escalations.USER], "incident_id": "01NOBODY"}, "incident_id"),
    ],
)
def test_escalation_with_invalid_fields_is_rejected(vendor, given, field):
    assert escalate(vendor, status=422, **given).errors[0].source.field == field


def test_canceled_escalation_can_be_canceled_again(vendor, paging):
    made = escalate(vendor, user_ids=[escalations.USER]).escalation
    cancel = incident_io_client.get_operation("escalations_v2", "escalations_v2_cancel_escalation")
    assert [cancel(made.id, client=vendor).status_code for _ in range(2)] == [200, 200]
    assert done("escalations_v2", "escalations_v2_show", vendor, made.id).escalation.status.value == "cancelled"
    paging.escalations.known[made.id].status = "resolved"
    assert cancel(made.id, client=vendor).status_code == 422


def test_escalation_paths_are_listed(vendor):
    found = done("escalations_v2", "escalations_v2_list_paths", vendor).escalation_paths
    assert (found[0].id, found[0].name) == (escalations.PRIMARY, "Primary")
