"""Requests that the simulated incident.io refuses, with the vendor's error envelope."""

import email.utils

import pytest

from router.simulator import options, server
from tests.end_to_end import harness

INCIDENT = {"idempotency_key": "k", "visibility": "public"}


@pytest.fixture(scope="module")
def simulator():
    with server.Server() as running:
        yield running


@pytest.fixture
def send(simulator):
    for vendor in simulator.app.state.vendors.values():
        vendor.reset()

    def ask(path: str, body=None, token: str = "any", method: str | None = None):
        return harness.ask(f"{simulator.url}/incident-io{path}", body, token, method)

    return ask


@pytest.fixture
def post(simulator):
    held = simulator.app.state.vendors["incident-io"]._state
    return {
        "idempotency_key": "p",
        "status_page_id": held.page.id,
        "name": "Checkout",
        "message": "We look.",
        "incident_status": "investigating",
        "notify_subscribers": True,
    }


def check_refusal(answer, status: int = 422) -> list[str]:
    """Check the envelope of an error. Return the refused fields."""
    code, body = answer
    assert code == status, body
    assert body["status"] == status
    assert body["request_id"]
    assert body["type"]
    return [error.get("source", {}).get("field", "") for error in body["errors"]]


@pytest.mark.parametrize("missing", ["idempotency_key", "visibility"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_incident_without_required_fields_is_refused(send, missing, version):
    body = {key: value for key, value in INCIDENT.items() if key != missing}
    assert check_refusal(send(f"/{version}/incidents", body)) == [missing]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"visibility": "secret"}, "visibility"),
        ({"mode": "pretend"}, "mode"),
        ({"status": "open"}, "status"),
        ({"severity_id": "01NOBODY"}, "severity_id"),
        ({"incident_type_id": "01NOBODY"}, "incident_type_id"),
        (
            {"custom_field_entries": [{"custom_field_id": "01NOBODY", "values": []}]},
            "custom_field_entries.0.custom_field_id",
        ),
        (
            {"incident_role_assignments": [{"incident_role_id": "01NOBODY"}]},
            "incident_role_assignments.0.incident_role_id",
        ),
    ],
)
def test_incident_with_unknown_references_is_refused(send, change, field):
    assert check_refusal(send("/v1/incidents", {**INCIDENT, **change})) == [field]


@pytest.mark.parametrize(
    "missing", ["idempotency_key", "status_page_id", "name", "message", "incident_status", "notify_subscribers"]
)
def test_post_without_required_fields_is_refused(send, post, missing):
    del post[missing]
    assert check_refusal(send("/v2/status_page_incidents", post)) == [missing]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "x" * 201}, "name"),
        ({"message": "x" * 4097}, "message"),
        ({"incident_status": "done"}, "incident_status"),
        ({"status_page_id": "01NOBODY"}, "status_page_id"),
        ({"notify_subscribers": "yes"}, "notify_subscribers"),
        (
            {"component_statuses": [{"component_id": "01NOBODY", "component_status": "operational"}]},
            "component_statuses",
        ),
        (
            {"component_statuses": [{"component_id": "01A", "component_status": "down"}]},
            "component_statuses.0.component_status",
        ),
    ],
)
def test_post_with_mismatched_fields_is_refused(send, post, change, field):
    assert check_refusal(send("/v2/status_page_incidents", {**post, **change})) == [field]


def test_texts_of_maximum_length_are_accepted(send, post):
    assert send("/v2/status_page_incidents", {**post, "name": "x" * 200, "message": "y" * 4096})[0] == 201


def test_components_are_refused_when_a_post_is_resolved(send, post, simulator):
    held = simulator.app.state.vendors["incident-io"]._state
    made = send("/v2/status_page_incidents", post)[1]["status_page_incident"]["id"]
    update = {
        "status_page_incident_id": made,
        "message": "Over.",
        "notify_subscribers": False,
        "incident_status": "resolved",
        "component_statuses": [{"component_id": held.components[0].id, "component_status": "operational"}],
    }
    assert check_refusal(send("/v2/status_page_incident_updates", update)) == ["component_statuses"]


def test_update_101_of_a_post_is_rejected(send, post):
    made = send("/v2/status_page_incidents", post)[1]["status_page_incident"]["id"]
    update = {"status_page_incident_id": made, "message": "Still.", "notify_subscribers": False}
    for _ in range(99):
        assert send("/v2/status_page_incident_updates", update)[0] == 201
    check_refusal(send("/v2/status_page_incident_updates", update))


@pytest.mark.parametrize(
    ("path", "body", "method"),
    [
        ("/v1/incidents/01NOBODY", None, None),
        ("/v2/incidents/01NOBODY", None, None),
        ("/v2/incidents/01NOBODY/actions/edit", {"incident": {}, "notify_incident_channel": False}, None),
        ("/v2/status_page_incidents/01NOBODY", None, None),
        ("/v2/status_page_incidents/01NOBODY", {"name": "x"}, "PUT"),
        ("/v2/status_page_structures/01NOBODY", None, None),
    ],
)
def test_unknown_id_is_not_found(send, path, body, method):
    check_refusal(send(path, body, method=method), 404)


@pytest.mark.parametrize("path", ["/v1/severities", "/v2/incidents", "/v2/status_pages"])
def test_request_without_key_is_unauthorized(send, path):
    check_refusal(send(path, token=""), 401)


def test_only_a_configured_key_is_accepted():
    with server.Server(options.Options(api_keys=frozenset({"right"}))) as simulator:
        assert harness.ask(f"{simulator.url}/incident-io/v1/severities", token="right")[0] == 200
        assert harness.ask(f"{simulator.url}/incident-io/v1/severities", token="wrong")[0] == 401


def test_too_many_calls_get_retry_after():
    at = 1_750_000_000_000_000
    with server.Server(options.Options(clock=lambda: at, calls_a_minute=2)) as simulator:
        answers = [harness.ask(f"{simulator.url}/incident-io/v1/severities", token="any") for _ in range(3)]
    assert [status for status, _ in answers] == [200, 200, 429]
    when = email.utils.parsedate_to_datetime(answers[2][1]["rate_limit"]["retry_after"])
    assert when.timestamp() == at / 1_000_000 + 60
