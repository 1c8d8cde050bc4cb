"""Requests that the simulated DevHelm refuses, and its error messages: it is at least as strict as the vendor."""

import json

import pytest

from router.simulator import vendor
from tests.unit.simulator_devhelm import accounts

UNKNOWN = "11111111-1111-4111-8111-111111111111"
INCIDENT = {"title": "Checkout is down", "severity": "DOWN"}
POST = {"title": "Checkout fails", "impact": "MAJOR", "body": "We are looking into it."}
WELL = {"componentId": UNKNOWN, "status": "OPERATIONAL"}
UPDATE = {"status": "MONITORING", "body": "A fix is out."}
TOO_LONG_URL = "https://docs.example.com/" + "a" * 2048


def remove_member(body, name):
    return {key: value for key, value in body.items() if key != name}


def check_refusal(answer, status, code, *fields):
    """Assert that the envelope is complete and names exactly these fields."""
    assert answer.status_code == status, answer.text
    document = answer.json()
    assert set(document) == {"status", "code", "message", "timestamp", "requestId", "errors"}
    assert (document["status"], document["code"]) == (status, code)
    assert document["message"]
    assert document["requestId"] == answer.headers["x-request-id"]
    assert [entry["field"] for entry in document["errors"] or []] == list(fields)
    for entry in document["errors"] or []:
        assert set(entry) == {"code", "field", "message"}
        assert entry["code"]
        assert entry["message"]
    return document


@pytest.mark.parametrize("key", ["", "another"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/incidents"), ("POST", "/incidents"), ("GET", "/status-pages"), ("GET", "/no-such-thing")],
)
def test_request_without_a_valid_key_is_unauthorized(key, method, path):
    account = accounts.Account(api_keys=frozenset({accounts.KEY}))
    account.key = key
    check_refusal(account.call(method, path), 401, "UNAUTHORIZED")
    account.key = accounts.KEY
    assert account.call("GET", "/incidents").status_code == 200


def test_unauthorized_request_changes_nothing():
    account = accounts.Account(api_keys=frozenset({accounts.KEY}))
    account.key = "another"
    check_refusal(account.call("POST", "/incidents", INCIDENT), 401, "UNAUTHORIZED")
    assert account.vendor.state()["incidents"] == []


def test_error_timestamp_is_in_milliseconds(account):
    told = check_refusal(account.call("GET", f"/incidents/{UNKNOWN}"), 404, "NOT_FOUND")
    assert told["timestamp"] == account.now // 1000


def test_every_response_has_its_own_request_id(account):
    answers = [account.call("GET", "/incidents"), account.call("POST", "/incidents", INCIDENT)]
    answers += [account.call("GET", f"/incidents/{UNKNOWN}"), account.call("GET", "/nothing")]
    draft = account.posts("acme-eu")[0]["id"]
    answers.append(account.call("POST", f"{account.posts_of('acme-eu')}/{draft}/dismiss"))
    assert answers[-1].status_code == 204
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        (remove_member(INCIDENT, "title"), "title", "REQUIRED"),
        (remove_member(INCIDENT, "severity"), "severity", "REQUIRED"),
        ({**INCIDENT, "title": ""}, "title", "INVALID"),
        ({**INCIDENT, "title": 5}, "title", "INVALID"),
        ({**INCIDENT, "severity": "critical"}, "severity", "INVALID"),
        ({**INCIDENT, "monitorId": "checkout"}, "monitorId", "INVALID"),
        ({**INCIDENT, "body": ["text"]}, "body", "INVALID"),
    ],
)
def test_invalid_incident_is_refused_with_its_field(account, body, field, code):
    told = check_refusal(account.call("POST", "/incidents", body), 400, "BAD_REQUEST", field)
    assert told["errors"][0]["code"] == code
    assert account.vendor.state()["incidents"] == []


def test_all_invalid_fields_are_reported_together(account):
    check_refusal(account.call("POST", "/incidents", {"severity": "BAD"}), 400, "BAD_REQUEST", "title", "severity")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"text"', b"\xff"])
def test_body_without_an_object_is_refused(account, raw):
    answer = account.call("POST", "/incidents", content=raw)
    assert answer.status_code == 400
    assert answer.json()["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"body": "Still looking."}, "notifySubscribers"),
        ({"notifySubscribers": "yes"}, "notifySubscribers"),
        ({"notifySubscribers": None}, "notifySubscribers"),
        ({"notifySubscribers": True, "newStatus": "OPEN"}, "newStatus"),
    ],
)
def test_incident_update_must_set_notify(account, body, field):
    incident = account.open()
    check_refusal(account.call("POST", f"/incidents/{incident}/updates", body), 400, "BAD_REQUEST", field)
    assert len(account.expect(200, "GET", f"/incidents/{incident}")["updates"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (remove_member(POST, "title"), "title"),
        (remove_member(POST, "impact"), "impact"),
        (remove_member(POST, "body"), "body"),
        ({**POST, "title": "x" * 501}, "title"),
        ({**POST, "body": ""}, "body"),
        ({**POST, "impact": "major"}, "impact"),
        ({**POST, "status": "OPEN"}, "status"),
        ({**POST, "notifySubscribers": "no"}, "notifySubscribers"),
        ({**POST, "monitoringIncidentId": "IR-1"}, "monitoringIncidentId"),
        ({**POST, "affectedComponents": [{**WELL, "componentId": "x"}]}, "affectedComponents.0.componentId"),
        ({**POST, "affectedComponents": [{**WELL, "status": "DOWN"}]}, "affectedComponents.0.status"),
        ({**POST, "affectedComponents": [{"componentId": UNKNOWN}]}, "affectedComponents.0.status"),
        ({**POST, "affectedComponents": [WELL]}, "affectedComponents"),
    ],
)
def test_incomplete_page_incident_is_refused(account, body, field):
    check_refusal(account.call("POST", account.posts_of("acme"), body), 400, "BAD_REQUEST", field)
    assert account.posts("acme") == []


def test_title_of_500_characters_is_accepted(account):
    assert account.post(title="x" * 500)


def test_page_incident_cannot_link_a_missing_incident(account):
    body = {**POST, "monitoringIncidentId": UNKNOWN}
    check_refusal(account.call("POST", account.posts_of("acme"), body), 404, "NOT_FOUND")
    assert account.posts("acme") == []


def test_component_of_another_page_is_refused_everywhere(account):
    there = account.affected("acme-eu", Payments="MAJOR_OUTAGE")
    account.open()
    path, draft = account.posts_of("acme-eu"), account.posts("acme-eu")[0]["id"]
    foreign = {"affectedComponents": account.affected("acme", Payments="MAJOR_OUTAGE")}
    assert foreign["affectedComponents"] != there
    before = account.vendor.state()
    for method, tail, body in [
        ("POST", "", {**POST, **foreign}),
        ("PUT", f"/{draft}", {"title": "Other", **foreign}),
        ("POST", f"/{draft}/publish", {"title": "Other", **foreign}),
        ("POST", f"/{draft}/updates", {**UPDATE, **foreign}),
    ]:
        check_refusal(account.call(method, path + tail, body), 400, "BAD_REQUEST", "affectedComponents")
    assert account.vendor.state() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": "x" * 501}, "title"),
        ({"status": "OPEN"}, "status"),
        ({"impact": "HUGE"}, "impact"),
        ({"postmortemUrl": "docs.example.com/why"}, "postmortemUrl"),
        ({"postmortemUrl": TOO_LONG_URL}, "postmortemUrl"),
        ({"published": "yes"}, "published"),
    ],
)
def test_change_of_a_page_incident_is_validated(account, body, field):
    path = f"{account.posts_of('acme')}/{account.post()}"
    before = account.expect(200, "GET", path)
    check_refusal(account.call("PUT", path, body), 400, "BAD_REQUEST", field)
    assert account.expect(200, "GET", path) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (remove_member(UPDATE, "status"), "status"),
        (remove_member(UPDATE, "body"), "body"),
        ({**UPDATE, "body": ""}, "body"),
        ({**UPDATE, "status": "FIXED"}, "status"),
    ],
)
def test_update_of_a_page_incident_is_validated(account, body, field):
    path = f"{account.posts_of('acme')}/{account.post()}"
    check_refusal(account.call("POST", f"{path}/updates", body), 400, "BAD_REQUEST", field)
    assert len(account.expect(200, "GET", path)["updates"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/incidents/{}", None),
        ("POST", "/incidents/{}/updates", {"notifySubscribers": False}),
        ("POST", "/incidents/{}/resolve", None),
        ("GET", "/status-pages/{}", None),
        ("GET", "/status-pages/{}/components", None),
        ("GET", "/status-pages/{}/incidents", None),
        ("POST", "/status-pages/{}/incidents", POST),
        ("GET", "{page}/{}", None),
        ("PUT", "{page}/{}", {}),
        ("DELETE", "{page}/{}", None),
        ("POST", "{page}/{}/publish", {}),
        ("POST", "{page}/{}/updates", UPDATE),
        ("POST", "{page}/{}/dismiss", None),
    ],
)
def test_id_must_be_a_known_uuid(account, method, path, body):
    page = account.posts_of("acme")
    check_refusal(account.call(method, path.format(UNKNOWN, page=page), body), 404, "NOT_FOUND")
    field = "incidentId" if path.startswith("{page}") else "id"
    check_refusal(account.call(method, path.format("IR-7", page=page), body), 400, "BAD_REQUEST", field)


def test_post_of_another_page_is_not_found(account):
    post = account.post("acme")
    check_refusal(account.call("GET", f"{account.posts_of('acme-eu')}/{post}"), 404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_missing_path_has_the_same_error_format(account, method):
    check_refusal(account.call(method, "/monitors"), 404, "NOT_FOUND")


def test_resolved_incident_cannot_be_resolved_again(account):
    incident = account.open()
    account.expect(200, "POST", f"/incidents/{incident}/resolve")
    before = account.vendor.state()
    check_refusal(account.call("POST", f"/incidents/{incident}/resolve", {"body": "Again"}), 409, "CONFLICT")
    assert account.vendor.state() == before


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BAD_REQUEST"),
        (403, "FORBIDDEN"),
        (429, "RATE_LIMITED"),
        (500, "INTERNAL_ERROR"),
        (502, "BAD_GATEWAY"),
        (503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_injected_failure_uses_the_vendor_s_envelope(account, status, code):
    body, headers = account.vendor.failure(vendor.Failure(status, 7))
    assert json.loads(json.dumps(body)) == body
    assert (body["status"], body["code"], body["timestamp"]) == (status, code, account.now // 1000)
    assert headers["x-request-id"] == body["requestId"]
    assert ("retry-after" in headers) == (status == 429)


@pytest.mark.parametrize(("seconds", "header"), [(7, "7"), (0.2, "1"), (30.5, "31"), (0, "0")])
def test_retry_after_is_never_too_short(account, seconds, header):
    _, headers = account.vendor.failure(vendor.Failure(429, seconds))
    assert headers["retry-after"] == header
    assert int(headers["x-ratelimit-limit"]) > 0
    assert headers["x-ratelimit-remaining"] == "0"
    assert int(headers["x-ratelimit-reset"]) >= account.now / accounts.SECOND + seconds
