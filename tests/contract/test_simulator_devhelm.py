"""DevHelm's Python client performs the router's operations at the simulated DevHelm, and reads every response."""

import datetime as dt
import uuid

import pytest

from router.simulator import faults, options, server
from tests.contract import sdks

errors, models = sdks.devhelm_errors, sdks.devhelm_models
KEY = "dh-let-me-in"
BEGIN_AT = 1_750_000_000_123_457
NOW = dt.datetime.fromtimestamp(BEGIN_AT // 1_000_000, dt.UTC)
UNKNOWN = uuid.UUID("11111111-1111-4111-8111-111111111111")
POST = {"title": "Checkout fails", "impact": "MAJOR", "body": "We are looking into it."}


@pytest.fixture(scope="module")
def simulator():
    with server.Server(options.Options(clock=lambda: BEGIN_AT, api_keys=frozenset({KEY}))) as running:
        yield running


@pytest.fixture
def client(simulator, monkeypatch):
    for name in ("DEVHELM_API_TOKEN", "DEVHELM_ORG_ID", "DEVHELM_WORKSPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    for vendor in simulator.app.state.vendors.values():
        vendor.reset()
    simulator.app.state.faults.clear()
    one = sdks.devhelm_client.Client(
        KEY, base_url=f"{simulator.url}/devhelm", org_id="4711", workspace_id="1", timeout=10
    )
    yield one
    one.wire.close()


@pytest.fixture
def pages(client):
    """The pages by slug."""
    return {page.slug: page for page in client.status_pages.list()}


def components(client, page):
    return {one.name: one for one in client.status_pages.components.list(page.id)}


def list_affected(client, page, **states):
    known = components(client, page)
    return [{"componentId": str(known[name].id), "status": status} for name, status in states.items()]


def open_incident(client, **others):
    return client.incidents.create({"title": "Checkout is down [IR-7F3K2Q]", "severity": "DOWN", **others})


def test_incident_is_opened_and_read(client):
    created = open_incident(client, body="5xx above 20%")
    incident = created.incident
    assert (incident.title, incident.severity) == ("Checkout is down [IR-7F3K2Q]", "DOWN")
    assert (incident.source, incident.status) == ("MANUAL", "CONFIRMED")
    assert incident.started_at == NOW.replace(microsecond=123457)
    assert (incident.resolved_at, incident.suppress_dispatch) == (None, False)
    (update,) = created.updates
    assert (update.body, update.new_status, update.incident_id) == ("5xx above 20%", "CONFIRMED", incident.id)
    read = client.incidents.get(incident.id)
    assert (read.incident, read.updates) == (created.incident, created.updates)


def test_incident_is_updated_and_resolved_once(client):
    incident = open_incident(client).incident.id
    told = client.add_update(incident, body="Still looking.", notify_subscribers=False, new_status="TRIGGERED")
    assert (told.incident.status, told.updates[-1].old_status) == ("TRIGGERED", "CONFIRMED")
    over = client.incidents.resolve(incident, {"body": "Restarted."})
    assert (over.incident.status, over.incident.resolution_note) == ("RESOLVED", "Restarted.")
    assert over.incident.resolved_at
    with pytest.raises(errors.DevhelmConflictError) as caught:
        client.incidents.resolve(incident)
    assert caught.value.code == "CONFLICT"


def test_incident_is_resolved_without_a_note(client):
    over = client.incidents.resolve(open_incident(client).incident.id)
    assert (over.incident.status, over.incident.resolution_note) == ("RESOLVED", None)


def test_incidents_are_listed_completely_and_by_page(client):
    ids = [open_incident(client).incident.id for _ in range(5)]
    assert [one.id for one in client.incidents.list()] == ids[::-1]
    page = client.incidents.list_page(1, 2)
    assert [item.id for item in page.data] == [ids[2], ids[1]]
    assert (page.has_next, page.has_prev, page.total_elements, page.total_pages) == (True, True, 5, 3)


@pytest.mark.parametrize("size", [1, 2, 5, 200])
def test_client_reaches_the_end_of_every_list(client, size):
    ids = [open_incident(client).incident.id for _ in range(5)]
    listed = sdks.devhelm_pagination.fetch_all_pages(client.wire, "/api/v1/incidents", models.IncidentDto, size)
    assert [item.id for item in listed] == ids[::-1]


def test_reference_is_found_among_open_and_resolved_items(client):
    ours = open_incident(client).incident.id
    client.incidents.create({"title": "Another", "severity": "DOWN"})
    assert [one.id for one in client.search(search="ir-7f3k2q")] == [ours]
    client.incidents.resolve(ours)
    assert [one.id for one in client.search(search="IR-7F3K2Q", source="MANUAL", started_from=NOW)] == [ours]
    assert [one.id for one in client.search(status="RESOLVED", severity="DOWN")] == [ours]
    assert client.search(started_to=NOW - dt.timedelta(seconds=1)) == []


def test_status_pages_and_components_are_listed(client, pages):
    modes = {slug: (page.name, page.incident_mode) for slug, page in pages.items()}
    assert modes == {
        "acme": ("Acme", "MANUAL"),
        "acme-eu": ("Acme EU", "REVIEW"),
        "acme-auto": ("Acme Auto", "AUTOMATIC"),
    }
    for page in pages.values():
        assert client.status_pages.get(page.id) == page
        found = components(client, page)
        assert list(found) == ["Checkout API", "Payments", "Web shop", "Search"]
        assert {(component.type, component.current_status) for component in found.values()} == {
            ("STATIC", "OPERATIONAL")
        }


def test_post_is_created_updated_resolved_and_deleted(client, pages):
    page, posts = pages["acme"], client.status_pages.incidents
    linked = open_incident(client).incident.id
    body = {**POST, "monitoringIncidentId": str(linked), "notifySubscribers": False}
    body["affectedComponents"] = list_affected(client, page, Payments="PARTIAL_OUTAGE")
    post = posts.create(page.id, body)
    assert (post.status, post.incident_id, post.published_at) == ("INVESTIGATING", linked, post.started_at)
    assert [component.component_name for component in post.affected_components] == ["Payments"]
    assert components(client, page)["Payments"].current_status == "PARTIAL_OUTAGE"
    assert posts.get(page.id, post.id) == post
    assert posts.list(page.id).data == [post]

    changed = posts.update(page.id, post.id, {"title": "Payments fail", "impact": "CRITICAL"})
    assert (changed.title, changed.impact, changed.status) == ("Payments fail", "CRITICAL", "INVESTIGATING")
    fixed = posts.post_update(page.id, post.id, {"status": "MONITORING", "body": "A fix is out."})
    assert [(update.body, update.notify_subscribers) for update in fixed.updates] == [
        ("We are looking into it.", False),
        ("A fix is out.", True),
    ]
    over = posts.post_update(
        page.id, post.id, {"status": "RESOLVED", "body": "It is over.", "notifySubscribers": False}
    )
    assert (over.status, bool(over.resolved_at)) == ("RESOLVED", True)
    assert components(client, page)["Payments"].current_status == "OPERATIONAL"

    why = {"postmortemBody": "A disk was full.", "postmortemUrl": "https://docs.example.com/why"}
    state = posts.update(page.id, post.id, why)
    assert (state.postmortem_body, state.postmortem_url) == tuple(why.values())
    cleared = posts.update(page.id, post.id, dict.fromkeys(why, ""))
    assert (cleared.postmortem_body, cleared.postmortem_url) == (None, None)

    posts.delete(page.id, post.id)
    with pytest.raises(errors.DevhelmNotFoundError):
        posts.get(page.id, post.id)


def test_posts_are_listed_by_page(client, pages):
    page, posts = pages["acme"], client.status_pages.incidents
    ids = [posts.create(page.id, POST).id for _ in range(3)]
    first, second = posts.list(page.id, size=2), posts.list(page.id, page=1, size=2)
    assert [item.id for item in (*first.data, *second.data)] == ids[::-1]
    assert (first.has_next, second.has_next, second.has_prev) == (True, False, True)


def test_draft_is_found_and_published_unchanged(client, pages):
    page, posts = pages["acme-eu"], client.status_pages.incidents
    linked = open_incident(client).incident.id
    (draft,) = posts.list(page.id).data
    assert (draft.incident_id, draft.published_at) == (linked, None)
    published = posts.publish(page.id, draft.id)
    assert published.published_at
    assert published.title == draft.title
    with pytest.raises(errors.DevhelmConflictError):
        posts.dismiss(page.id, draft.id)


def test_published_post_is_unpublished_and_then_dismissed(client, pages):
    page, posts = pages["acme"], client.status_pages.incidents
    made = posts.create(page.id, POST)
    assert made.published_at
    draft = posts.update(page.id, made.id, {"published": False})
    assert (draft.id, draft.published_at) == (made.id, None)
    posts.dismiss(page.id, made.id)
    assert posts.list(page.id).data == []


def test_draft_is_changed_and_published(client, pages):
    page, posts = pages["acme-eu"], client.status_pages.incidents
    open_incident(client)
    (draft,) = posts.list(page.id).data
    posts.update(page.id, draft.id, {"title": "Checkout fails"})
    states = list_affected(client, page, Search="MAJOR_OUTAGE")
    said = {"body": "We know why.", "status": "IDENTIFIED", "notify_subscribers": False}
    published = client.publish(page.id, draft.id, affected_components=states, **said)
    assert (published.title, published.status) == ("Checkout fails", "IDENTIFIED")
    assert [(update.body, update.notify_subscribers) for update in published.updates] == [("We know why.", False)]
    assert components(client, page)["Search"].current_status == "MAJOR_OUTAGE"


def test_dismissed_draft_is_not_listed(client, pages):
    page, posts = pages["acme-eu"], client.status_pages.incidents
    open_incident(client)
    (draft,) = posts.list(page.id).data
    assert posts.dismiss(page.id, draft.id) is None
    assert posts.list(page.id).data == []


def test_incident_lists_its_status_page_posts(client, pages):
    incident = open_incident(client).incident.id
    post = client.status_pages.incidents.create(pages["acme"].id, {**POST, "monitoringIncidentId": str(incident)})
    linked = {one.status_page_slug: one for one in client.incidents.get(incident).status_page_incidents}
    assert {slug: (one.connection_mode, one.page_incident_mode) for slug, one in linked.items()} == {
        "acme": ("MANUAL", "MANUAL"),
        "acme-eu": ("AUTO", "REVIEW"),
        "acme-auto": ("AUTO", "AUTOMATIC"),
    }
    assert linked["acme"].sp_incident_id == post.id
    client.incidents.resolve(incident)
    linked = {one.status_page_slug: one for one in client.incidents.get(incident).status_page_incidents}
    assert {slug: one.status for slug, one in linked.items()} == {
        "acme": "INVESTIGATING",
        "acme-eu": "INVESTIGATING",
        "acme-auto": "RESOLVED",
    }


def test_rejection_has_its_fields_and_request_id(client, pages):
    unknown = [{"componentId": str(UNKNOWN), "status": "MAJOR_OUTAGE"}]
    with pytest.raises(errors.DevhelmApiError) as caught:
        client.status_pages.incidents.create(pages["acme"].id, {**POST, "affectedComponents": unknown})
    told = models.ErrorResponse.model_validate(caught.value.body)
    assert (caught.value.status, told.code) == (400, "BAD_REQUEST")
    assert [entry.field for entry in told.errors] == ["affectedComponents"]
    assert told.request_id == caught.value.request_id
    assert told.timestamp == BEGIN_AT // 1000


def test_unknown_id_is_not_found(client, pages):
    posts = client.status_pages.incidents
    for read in (
        lambda: client.incidents.get(UNKNOWN),
        lambda: client.status_pages.get(UNKNOWN),
        lambda: posts.get(pages["acme"].id, UNKNOWN),
    ):
        with pytest.raises(errors.DevhelmNotFoundError) as caught:
            read()
        assert caught.value.code == "NOT_FOUND"


def test_unknown_key_is_unauthorized(simulator):
    unauthenticated = sdks.devhelm_client.Client("another", base_url=f"{simulator.url}/devhelm")
    try:
        with pytest.raises(errors.DevhelmAuthError) as caught:
            unauthenticated.incidents.list()
    finally:
        unauthenticated.wire.close()
    assert caught.value.code == "UNAUTHORIZED"
    assert caught.value.request_id


@pytest.mark.parametrize(("status", "error"), [(429, "DevhelmRateLimitError"), (503, "DevhelmServerError")])
def test_injected_failure_is_read_as_the_vendor_s(simulator, client, status, error):
    simulator.app.state.faults.append(faults.Fault(action=str(status), vendor="devhelm", retry_after=7))
    with pytest.raises(getattr(errors, error)) as caught:
        client.incidents.list()
    told = models.ErrorResponse.model_validate(caught.value.body)
    assert told.request_id == caught.value.request_id
    assert caught.value.retry_after == 7
    assert client.incidents.list() == []


def test_every_list_is_enveloped_as_the_client_expects(client, pages):
    paths = ["/api/v1/incidents", "/api/v1/status-pages", f"/api/v1/status-pages/{pages['acme'].id}/incidents"]
    for path in paths:
        told = sdks.devhelm_http.api_get(client.wire, path)
        assert set(told) == {"data", "hasNext", "hasPrev", "totalElements", "totalPages"}
        assert sdks.devhelm_pagination._validate_page(told).data == told["data"]
