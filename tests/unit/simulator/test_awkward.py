"""Vendors with valid but unusual responses, over real HTTP."""

import http.client
import json
import urllib.parse

import pytest

from router.simulator import server
from tests.end_to_end import harness

INCIDENTS = "/devhelm/api/v1/incidents"
POSTS = "/incident-io/v2/status_page_incidents"


@pytest.fixture(scope="module")
def simulator():
    with server.Server() as running:
        yield running


@pytest.fixture(autouse=True)
def clean(simulator):
    harness.ask(f"{simulator.url}/reset", {})


def order(simulator, **fault):
    status, answer = harness.ask(f"{simulator.url}/faults", fault)
    assert status == 201, answer


def send_request(simulator, method, path, body=None):
    at = urllib.parse.urlsplit(simulator.url)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=5.0)
    try:
        headers = {"authorization": "Bearer any", "content-type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        raw = answer.read()
        return answer.status, json.loads(raw) if "json" in answer.headers["content-type"] else raw.decode()
    finally:
        connection.close()


def opened(simulator, title="down", **more):
    status, answer = send_request(simulator, "POST", INCIDENTS, {"title": title, "severity": "DOWN", **more})
    assert status == 201
    return answer["data"]["incident"]["id"]


def forget_faults(simulator):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(simulator.url).netloc)
    connection.request("DELETE", "/faults")
    assert connection.getresponse().status == 204
    connection.close()


def test_gateway_fault_responds_with_html(simulator):
    order(simulator, action="gateway", status=404, method="GET")
    status, page = send_request(simulator, "GET", INCIDENTS)
    assert (status, page.startswith("<html>")) == (404, True)
    assert send_request(simulator, "GET", INCIDENTS)[0] == 200


def test_reads_lag_behind_a_write_until_faults_end(simulator):
    order(simulator, action="lag", method="POST", lag_seconds=60, count=2)
    identity = opened(simulator)
    assert send_request(simulator, "GET", f"{INCIDENTS}/{identity}")[0] == 404
    assert send_request(simulator, "GET", INCIDENTS)[1]["data"] == []
    forget_faults(simulator)
    assert send_request(simulator, "GET", f"{INCIDENTS}/{identity}")[0] == 200


def test_reads_catch_up_after_the_lag(simulator):
    order(simulator, action="lag", method="POST", lag_seconds=0.05)
    identity = opened(simulator)
    shown = lambda: send_request(simulator, "GET", f"{INCIDENTS}/{identity}")[0] == 200  # noqa: E731
    harness.eventually("the read has caught up", shown)


def test_lagging_reads_return_the_old_state(simulator):
    identity = opened(simulator)
    order(simulator, action="lag", lag_seconds=60)
    assert (
        send_request(simulator, "POST", f"{INCIDENTS}/{identity}/resolve", {})[1]["data"]["incident"]["status"]
        == "RESOLVED"
    )
    assert send_request(simulator, "GET", f"{INCIDENTS}/{identity}")[1]["data"]["incident"]["status"] == "CONFIRMED"


@pytest.mark.parametrize(
    ("style", "text", "stored"),
    [
        ("strip", " a ", "a"),
        ("fold", "a  b\n\n\nc", "a b\nc"),
        ("crlf", "a\n\nb", "a\r\n\r\nb"),
        ("escape", "a & b", "a &amp; b"),
        ("bullets", "- a\n- b", "* a\n* b"),
        ("paragraph", "a\n\nb", "<p>a</p><p>b</p>"),
        ("backslash", "a_b", "a\\_b"),
        ("cut", "a" * 100, "a" * 60),
    ],
)
def test_texts_are_normalized_in_the_configured_style(simulator, style, text, stored):
    order(simulator, action="normalize", style=style)
    identity = opened(simulator, body=text)
    assert send_request(simulator, "GET", f"{INCIDENTS}/{identity}")[1]["data"]["updates"][0]["body"] == stored


def test_normalization_truncates_titles_without_adding_markup(simulator):
    order(simulator, action="normalize", style="cut", length=5)
    order(simulator, action="normalize", style="crlf")
    identity = opened(simulator, title="123456789")
    assert send_request(simulator, "GET", f"{INCIDENTS}/{identity}")[1]["data"]["incident"]["title"] == "12345"


def test_texts_are_rewritten_only_when_they_are_read(simulator):
    order(simulator, action="render", style="escape")
    identity = opened(simulator, title="a & b")
    assert send_request(simulator, "GET", f"{INCIDENTS}/{identity}")[1]["data"]["incident"]["title"] == "a &amp; b"
    assert send_request(simulator, "GET", f"{INCIDENTS}/{identity}")[1]["data"]["incident"]["title"] == "a & b"


def test_impact_follows_the_components(simulator):
    pages = send_request(simulator, "GET", "/devhelm/api/v1/status-pages")[1]["data"]
    page = next(one for one in pages if one["slug"] == "acme")
    path = f"/devhelm/api/v1/status-pages/{page['id']}"
    component = send_request(simulator, "GET", f"{path}/components")[1]["data"][0]["id"]
    order(simulator, action="normalize", style="impact")
    affected = [{"componentId": component, "status": "PARTIAL_OUTAGE"}]
    body = {"title": "x", "impact": "NONE", "body": "y", "affectedComponents": affected}
    assert send_request(simulator, "POST", f"{path}/incidents", body)[1]["data"]["impact"] == "MAJOR"


def test_odd_rows_come_first_in_lists(simulator):
    identity = opened(simulator)
    order(simulator, action="odd-row")
    odd, empty, row = send_request(simulator, "GET", INCIDENTS)[1]["data"]
    assert (odd["title"], odd["status"], "createdAt" in odd, empty) == (None, "SOMETHING_NEW", False, {})
    assert row["id"] == identity


def test_endless_fault_always_announces_another_page(simulator):
    opened(simulator)
    order(simulator, action="endless", count=3)
    assert send_request(simulator, "GET", f"{INCIDENTS}?page=7")[1] == {
        "data": [],
        "hasNext": True,
        "hasPrev": True,
        "totalElements": 1,
        "totalPages": 1,
    }
    assert send_request(simulator, "GET", "/incident-io/v2/status_pages")[1]["pagination_meta"]["after"]


def test_call_log_contains_every_applied_fault(simulator):
    order(simulator, action="lag", lag_seconds=0)
    order(simulator, action="normalize")
    order(simulator, action="act-then-drop")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        opened(simulator)
    (call,) = harness.ask(f"{simulator.url}/calls")[1]["calls"]
    assert call["fault"] == "lag+normalize+act-then-drop"


def test_paused_incident_cannot_be_closed_directly(simulator):
    statuses = send_request(simulator, "GET", "/incident-io/v1/incident_statuses")[1]["incident_statuses"]
    by_category = {status["category"]: status["id"] for status in statuses}
    body = {"idempotency_key": "k", "visibility": "public", "name": "x"}
    identity = send_request(simulator, "POST", "/incident-io/v2/incidents", body)[1]["incident"]["id"]

    def move(category):
        edit = {"incident": {"incident_status_id": by_category[category]}, "notify_incident_channel": False}
        return send_request(simulator, "POST", f"/incident-io/v2/incidents/{identity}/actions/edit", edit)[0]

    assert [move("paused"), move("closed"), move("live"), move("closed")] == [200, 422, 200, 200]
