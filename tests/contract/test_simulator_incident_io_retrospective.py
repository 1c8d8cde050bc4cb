"""incident.io's client publishes resolved incidents. The simulated vendor refuses open ones."""

import httpx
import pytest

from router.simulator import server
from tests.contract import incident_io_client, sdks

NAME = "status_pages_v2_create_status_page_retrospective_incident"
PATH = "/v2/status_page_retrospective_incidents"
EARLY, LATE = "2021-08-17T13:28:57Z", "2021-08-17T14:00:00Z"


@pytest.fixture(scope="module")
def simulator():
    with server.Server() as running:
        yield running


@pytest.fixture
def vendor(simulator):
    for one in simulator.app.state.vendors.values():
        one.reset()
    base = f"{simulator.url}/incident-io"
    with sdks.incident_io.AuthenticatedClient(
        base_url=base, token="any key", raise_on_unexpected_status=True
    ) as client:
        yield client


def update(status: str = "investigating", at: str = EARLY, **more):
    return {"incident_status": status, "message": "Payments failed.", "published_at": at, **more}


def body(vendor, *updates, **more):
    page = incident_io_client.get_page(vendor).id
    return {"idempotency_key": "r1", "status_page_id": page, "name": "Payments failed", "updates": updates, **more}


def create_post(vendor, *updates):
    shape = sdks.incident_io_models.StatusPagesCreateStatusPageRetrospectiveIncidentPayloadV2
    wanted = shape.from_dict(body(vendor, *updates))
    return incident_io_client.perform("status_pages_v2", NAME, vendor, status=201, body=wanted).status_page_incident


def test_ended_incident_is_published_once_without_notifications(vendor, simulator):
    affected = [
        {"component_id": incident_io_client.list_components(vendor)["Payments"], "component_status": "full_outage"}
    ]
    post = create_post(vendor, update(component_statuses=affected), update("resolved", LATE))
    assert create_post(vendor, update(), update("resolved", LATE)).id == post.id
    shown = incident_io_client.get_post(vendor, post.id)
    assert (shown.incident_status.value, shown.published_at.hour) == ("resolved", 13)
    assert [one.published_at.minute for one in shown.updates] == [28, 0]
    [impact] = shown.component_impacts
    assert (impact.start_at.hour, impact.end_at.hour) == (13, 14)
    held = simulator.app.state.vendors["incident-io"]
    assert held.state()["components"]["Payments"] == "operational"
    assert not any(one.notify for post in held._state.posts.values() for one in post.updates)


@pytest.mark.parametrize(
    ("updates", "field"),
    [
        ([], "updates"),
        ([update()], "updates"),
        ([update("resolved"), update("resolved", LATE)], "updates"),
        ([update(at=LATE), update("resolved", EARLY)], "updates"),
        ([update(), update("resolved", "2999-01-01T00:00:00Z")], "updates.1.published_at"),
        ([update(), update("resolved", "yesterday")], "updates.1.published_at"),
        ([update(component_statuses=None), update("resolved", LATE)], "updates.0.component_statuses"),
        ([update(message=None), update("resolved", LATE)], "updates.0.message"),
        ([update(message="x" * 4097), update("resolved", LATE)], "updates.0.message"),
    ],
)
def test_unended_or_malformed_retrospective_is_refused(vendor, simulator, updates, field):
    answer = httpx.post(
        f"{simulator.url}/incident-io{PATH}",
        json=body(vendor, *updates),
        headers={"authorization": "Bearer any key"},
    )
    assert answer.status_code == 422, answer.text
    assert field in {error["source"]["field"] for error in answer.json()["errors"]}
