"""The simulated vendors send a signed webhook for each change. The router's parser verifies it."""

import http.server
import json
import queue
import threading

import httpx
import pytest

from router.simulator import server
from router.sources import signatures
from tests.integration import vendors
from tests.unit.destinations import scripted

SIGNED = {
    "incident-io": {"scheme": "standard-webhooks", "secrets": ["whsec_c2VjcmV0LW9mLWEtdGVzdA=="]},
    "devhelm": {"scheme": "devhelm", "secrets": ["shared-secret"]},
}


@pytest.fixture
def received():
    """A webhook receiver, and the received requests."""
    arrived = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            arrived.put(({k.lower().encode(): v.encode() for k, v in self.headers.items()}, body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_):
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}/", arrived
    listening.shutdown()
    thread.join()
    listening.server_close()


class Vendor:
    """A simulated vendor that sends webhooks for its changes."""

    def __init__(self, simulator, name, received):
        self.url, self.name = simulator.url, name
        self.to, self._arrived = received
        self._signature = signatures.Signature(signatures.Config.model_validate(SIGNED[name]))
        self.told = httpx.post(
            f"{self.url}/webhooks", json={"vendor": name, "url": self.to, "secret": SIGNED[name]["secrets"][0]}
        ).status_code

    def call(self, method, path, body=None):
        headers = {"authorization": f"Bearer {scripted.SECRET}"}
        answer = httpx.request(method, f"{self.url}/{self.name}{path}", json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def event(self):
        """Return the name and the object of the next event."""
        headers, body = self._arrived.get(timeout=20)
        assert self._signature.problem(headers, body, vendors.workers.factories.clock()) == ""
        document = json.loads(body)
        event = document.get("event_type") or document["event"]
        return event, document.get(event) or document["data"]


@pytest.fixture
def vendor(received):
    with server.Server() as simulator:
        yield lambda name: Vendor(simulator, name, received)


def test_incident_io_sends_webhooks_of_incident_changes(vendor):
    at = vendor("incident-io")
    (severity, *_) = at.call("GET", "/v1/severities")["severities"]
    new = {"idempotency_key": "k", "name": "Down", "visibility": "public", "severity_id": severity["id"]}
    incident = at.call("POST", "/v2/incidents", new)["incident"]
    event, said = at.event()
    assert (event, said["id"]) == ("public_incident.incident_created_v2", incident["id"])
    edit = f"/v2/incidents/{incident['id']}/actions/edit"
    at.call("POST", edit, {"incident": {"name": "Cards"}, "notify_incident_channel": False})
    event, said = at.event()
    assert (event, said["name"]) == ("public_incident.incident_updated_v2", "Cards")
    closed = next(s for s in at.call("GET", "/v1/incident_statuses")["incident_statuses"] if s["category"] == "closed")
    at.call("POST", edit, {"incident": {"incident_status_id": closed["id"]}, "notify_incident_channel": False})
    event, said = at.event()
    assert event == "public_incident.incident_status_updated_v2"
    assert (said["incident"]["id"], said["new_status"]["id"]) == (incident["id"], closed["id"])


def test_devhelm_sends_webhooks_of_incident_changes(vendor):
    at = vendor("devhelm")
    new = {"title": "Down", "severity": "DOWN"}
    identity = at.call("POST", "/api/v1/incidents", new)["data"]["incident"]["id"]
    told = {at.event()[0] for _ in range(3)}
    assert told == {"incident.created", "status_page.incident.created"}
    at.call("POST", f"/api/v1/incidents/{identity}/resolve", {})
    events = {at.event()[0] for _ in range(2)}
    assert events == {"incident.resolved", "status_page.incident.resolved"}


def test_unknown_vendor_is_refused(vendor):
    at = vendor("devhelm")
    assert at.told == 201
    wrong = httpx.post(f"{at.url}/webhooks", json={"vendor": "pager", "url": at.to, "secret": "s"})
    assert (wrong.status_code, "devhelm" in wrong.text) == (422, True)
