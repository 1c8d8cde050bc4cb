"""Fault injection over real HTTP: every fault that the router has to handle."""

import http.client
import json
import socket
import urllib.parse

import pytest

from router.simulator import options, server, snapshot
from tests.end_to_end import harness

INCIDENT = {"title": "down", "severity": "DOWN"}
PATH = "/devhelm/api/v1/incidents"


@pytest.fixture(scope="module")
def simulator():
    with server.Server() as running:
        yield running


@pytest.fixture(autouse=True)
def clean(simulator):
    harness.ask(f"{simulator.url}/reset", {})


def order(simulator, **fault) -> None:
    status, answer = harness.ask(f"{simulator.url}/faults", fault)
    assert status == 201, answer


def create(simulator, timeout: float = 5.0) -> tuple[int, dict, http.client.HTTPMessage]:
    at = urllib.parse.urlsplit(simulator.url)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=timeout)
    try:
        headers = {"authorization": "Bearer any", "content-type": "application/json"}
        connection.request("POST", PATH, json.dumps(INCIDENT), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        connection.close()


def count_incidents(simulator) -> int:
    return len(harness.ask(f"{simulator.url}/state")[1]["devhelm"]["incidents"])


@pytest.mark.parametrize("action", ["429", "500", "502", "503"])
def test_refusal_uses_the_vendor_s_envelope_and_does_nothing(simulator, action):
    order(simulator, action=action, retry_after=7)
    status, body, headers = create(simulator)
    assert (status, body["status"]) == (int(action), int(action))
    assert headers.get("retry-after") == "7"
    assert count_incidents(simulator) == 0
    assert create(simulator)[0] == 201


def test_status_fault_returns_any_status(simulator):
    order(simulator, action="status", status=418)
    assert create(simulator)[0] == 418


def test_dropped_call_has_no_response_and_no_effect(simulator):
    order(simulator, action="drop")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        create(simulator)
    assert count_incidents(simulator) == 0


def test_executed_dropped_call_has_an_effect(simulator):
    order(simulator, action="act-then-drop")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        create(simulator)
    assert count_incidents(simulator) == 1


@pytest.mark.parametrize(("action", "effect"), [("hang", 0), ("act-then-hang", 1)])
def test_hanging_call_times_out(simulator, action, effect):
    order(simulator, action=action, hang_seconds=1.0)
    with pytest.raises(TimeoutError):
        create(simulator, timeout=0.2)
    harness.eventually("it had its effect", lambda: count_incidents(simulator) == effect)


def count_pending(simulator) -> int:
    return harness.ask(f"{simulator.url}/faults")[1]["pending"]


@pytest.mark.parametrize("action", ["act-late", "hang-then-act"])
def test_late_request_is_pending_until_carried_out(action):
    with server.Server() as simulator:
        order(simulator, action=action, hang_seconds=600)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError, TimeoutError)):
            create(simulator, timeout=0.2)
        harness.eventually("it is pending", lambda: count_pending(simulator) == 1)
        assert count_incidents(simulator) == 0


def test_dropped_request_is_carried_out_late(simulator):
    order(simulator, action="act-late", hang_seconds=0.2)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        create(simulator)
    harness.eventually("it is carried out", lambda: (count_pending(simulator), count_incidents(simulator)) == (0, 1))


def test_timed_out_request_is_carried_out_late(simulator):
    order(simulator, action="hang-then-act", hang_seconds=1.0)
    with pytest.raises(TimeoutError):
        create(simulator, timeout=0.2)
    harness.eventually("it is carried out", lambda: (count_pending(simulator), count_incidents(simulator)) == (0, 1))


def test_fault_window_applies_to_every_matching_call(simulator):
    """A fault with a window counts once, regardless of the number of calls."""
    order(simulator, action="status", status=401, vendor="devhelm", lasts_seconds=60)
    assert [create(simulator)[0] for _ in range(3)] == [401, 401, 401]
    assert harness.ask(f"{simulator.url}/incident-io/v1/severities", token="any")[0] == 200
    harness.ask(f"{simulator.url}/faults", method="DELETE")
    assert create(simulator)[0] == 201


def test_window_ends_after_its_time(simulator):
    order(simulator, action="status", status=401, lasts_seconds=0.2)
    assert create(simulator)[0] == 401
    harness.eventually("the window is over", lambda: create(simulator)[0] == 201)


def test_truncated_response_ends_before_its_length(simulator):
    order(simulator, action="truncate")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        create(simulator)
    assert count_incidents(simulator) == 1


def test_fault_applies_only_as_often_as_configured(simulator):
    order(simulator, action="500", vendor="devhelm", method="POST", path="/api/v1/incidents", count=2)
    assert harness.ask(f"{simulator.url}{PATH}", token="any")[0] == 200
    assert [create(simulator)[0] for _ in range(3)] == [500, 500, 201]
    order(simulator, action="500", vendor="incident-io")
    assert create(simulator)[0] == 201


def test_random_faults_repeat_with_the_same_seed(simulator):
    def thrown() -> list[int]:
        harness.ask(f"{simulator.url}/reset", {})
        order(simulator, action="500", count=1000, probability=0.5, seed=3)
        return [create(simulator)[0] for _ in range(12)]

    first = thrown()
    assert first == thrown()
    assert set(first) == {201, 500}


def test_faults_are_listed_and_deleted(simulator):
    order(simulator, action="500", count=5)
    assert [fault["count"] for fault in harness.ask(f"{simulator.url}/faults")[1]["faults"]] == [5]
    harness.ask(f"{simulator.url}/faults", method="DELETE")
    assert harness.ask(f"{simulator.url}/faults")[1]["faults"] == []


@pytest.mark.parametrize("fault", [{"action": "explode"}, {"action": "500", "count": 0}, {"acton": "500"}])
def test_invalid_fault_is_refused(simulator, fault):
    assert harness.ask(f"{simulator.url}/faults", fault)[0] == 422


def test_every_call_is_logged_with_its_fault(simulator):
    order(simulator, action="500")
    create(simulator)
    create(simulator)
    calls = harness.ask(f"{simulator.url}/calls?vendor=devhelm&method=post&path=/api/v1")[1]["calls"]
    assert [(call["status"], call["fault"]) for call in calls] == [(500, "500"), (201, "")]
    assert calls[0]["body"] == INCIDENT
    assert calls[0]["path"] == "/api/v1/incidents"
    assert harness.ask(f"{simulator.url}/calls?vendor=incident-io")[1]["calls"] == []


def test_missing_page_is_not_found(simulator):
    assert harness.ask(f"{simulator.url}/pages/devhelm/nowhere")[0] == 404
    assert harness.ask(f"{simulator.url}/pages/nobody/acme")[0] == 404
    assert harness.ask(f"{simulator.url}/")[0] == 200


def test_vendors_are_restored_from_a_snapshot(simulator, tmp_path):
    create(simulator)
    snapshot.save(simulator.app.state.vendors, tmp_path / "deep" / "file")
    back = snapshot.load(tmp_path / "deep" / "file")
    assert back["devhelm"].state() == simulator.app.state.vendors["devhelm"].state()


@pytest.mark.parametrize("content", [None, b"", b"not a pickle", b"\x80\x05N."])
def test_unreadable_snapshot_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    assert snapshot.load(tmp_path / "file") is None


def test_occupied_port_is_an_immediate_error():
    async def main(port: int) -> None:
        async with server.running(options.Options(), server.listen("127.0.0.1", port)):
            pass

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        server.asyncio.run(main(taken.getsockname()[1]))
