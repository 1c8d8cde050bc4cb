"""The simulated Slack speaks Socket Mode with Slack's SDK, and injects Slack's failures on request."""

import contextlib
import json
import queue
import threading

import pytest
import slack_sdk
from slack_sdk import errors
from slack_sdk.socket_mode import builtin
from slack_sdk.socket_mode.response import SocketModeResponse
from websockets import exceptions
from websockets.sync import client

from router.simulator import server, snapshot
from tests.contract.test_simulator_slack_interactions import ACTIONS
from tests.end_to_end import harness

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture
def simulator():
    with server.Server() as running:
        harness.ask(f"{running.url}/workspace/app", {"ack_seconds": 0.3}, method="PUT")
        yield running


def web(simulator, token):
    return slack_sdk.WebClient(token, base_url=f"{simulator.url}/slack/api/", timeout=30)


@pytest.fixture
def slack(simulator):
    return web(simulator, "xoxb-1")


@contextlib.contextmanager
def connect_socket(simulator):
    """A raw connection, after the hello message."""
    url = web(simulator, None).apps_connections_open(app_token="xapp-1")["url"]
    with client.connect(url, proxy=None, close_timeout=0.1) as socket:
        assert json.loads(socket.recv(5))["type"] == "hello"
        yield socket


def click(simulator, slack):
    """Click a button in a separate thread. Return a queue that receives the outcome."""
    message = slack.chat_postMessage(channel="incidents", text="one", blocks=[ACTIONS])
    body = {"channel": "incidents", "ts": message["ts"], "action": "approve"}
    return run_in_background(lambda: harness.ask(f"{simulator.url}/workspace/clicks", body)[1])


def run_in_background(call):
    found = queue.Queue()
    threading.Thread(target=lambda: found.put(call()), daemon=True).start()
    return found


def acknowledge(socket, envelope, **more):
    socket.send(json.dumps({"envelope_id": envelope["envelope_id"], **more}))


def receive_message(socket):
    return json.loads(socket.recv(5))


def strike(simulator, **fault):
    assert harness.ask(f"{simulator.url}/workspace/connections", fault)[0] == 201


def test_slack_s_client_receives_clicks_and_commands(simulator, slack):
    received_kinds = []

    def listen(on, request):
        received_kinds.append(request.type)
        body = {"text": "None is open."} if request.type == "slash_commands" else None
        on.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id, payload=body))

    socket = builtin.SocketModeClient("xapp-1", web_client=web(simulator, None))
    socket.socket_mode_request_listeners.append(listen)
    socket.connect()
    try:
        assert click(simulator, slack).get(timeout=10)["error"] == ""
        command = {"command": "/incidents"}
        outcome = harness.ask(f"{simulator.url}/workspace/commands", command)[1]
        assert (outcome["error"], outcome["response"]) == ("", {"text": "None is open."})
        event = harness.ask(f"{simulator.url}/workspace/events", {"type": "app_home_opened"})[1]
        assert event["error"] == ""
        assert received_kinds == ["interactive", "slash_commands", "events_api"]
    finally:
        socket.close()


def test_only_an_app_token_opens_connections(simulator, slack):
    with pytest.raises(errors.SlackApiError) as raised:
        web(simulator, None).apps_connections_open(app_token="xoxb-1")
    assert raised.value.response["error"] == "not_allowed_token_type"
    with pytest.raises(errors.SlackApiError) as raised:
        web(simulator, "xapp-1").chat_postMessage(channel="incidents", text="x")
    assert raised.value.response["error"] == "not_allowed_token_type"


def test_connection_url_is_valid_once(simulator):
    url = web(simulator, None).apps_connections_open(app_token="xapp-1")["url"]
    with client.connect(url, proxy=None):
        pass
    with pytest.raises(exceptions.InvalidStatus), client.connect(url, proxy=None):
        pass


def test_unacknowledged_envelope_goes_to_another_connection(simulator, slack):
    with connect_socket(simulator) as first, connect_socket(simulator) as second:
        outcome = click(simulator, slack)
        one = receive_message(first)
        assert (one["type"], one["accepts_response_payload"], one["retry_attempt"]) == ("interactive", False, 0)
        again = receive_message(second)
        assert (again["envelope_id"], again["retry_attempt"]) == (one["envelope_id"], 1)
        acknowledge(second, again)
        assert outcome.get(timeout=10) == {"attempts": 2, "response": None, "error": ""}


def test_envelope_goes_to_another_connection_when_one_closes(simulator, slack):
    harness.ask(f"{simulator.url}/workspace/app", {"ack_seconds": 30}, method="PUT")
    with connect_socket(simulator) as first, connect_socket(simulator) as second:
        outcome = click(simulator, slack)
        receive_message(first)
        first.close()
        acknowledge(second, receive_message(second))
        assert outcome.get(timeout=10)["attempts"] == 2


def test_click_without_connection_fails(simulator, slack):
    assert click(simulator, slack).get(timeout=10)["error"] == "no_connection"


def test_lost_acknowledgement_repeats_an_envelope(simulator, slack):
    with connect_socket(simulator) as only:
        strike(simulator, action="lose-acks")
        outcome = click(simulator, slack)
        for _ in range(2):
            acknowledge(only, receive_message(only))
        assert outcome.get(timeout=10)["attempts"] == 2


def test_disconnect_message_may_close_the_connection(simulator):
    with connect_socket(simulator) as only:
        strike(simulator, action="disconnect", reason="warning")
        assert receive_message(only)["reason"] == "warning"
        strike(simulator, action="disconnect", reason="link_disabled", closes=True)
        assert receive_message(only)["reason"] == "link_disabled"
        with pytest.raises(exceptions.ConnectionClosed):
            only.recv(5)


def test_dropped_connection_ends_without_a_close_frame(simulator):
    with connect_socket(simulator) as only:
        strike(simulator, action="drop")
        with pytest.raises(exceptions.ConnectionClosedError):
            only.recv(5)


def test_silent_connection_answers_no_ping(simulator, slack):
    with connect_socket(simulator) as only:
        assert only.ping().wait(5)
        strike(simulator, action="silence")
        assert not only.ping().wait(0.2)
        assert click(simulator, slack).get(timeout=10)["error"] == "timeout"


def test_refused_connection_gets_no_hello(simulator):
    strike(simulator, action="refuse", reason="too_many_websockets")
    url = web(simulator, None).apps_connections_open(app_token="xapp-1")["url"]
    with client.connect(url, proxy=None) as socket:
        assert receive_message(socket) == {
            "type": "disconnect",
            "reason": "too_many_websockets",
            "debug_info": {"host": "simulated"},
        }


def test_eleventh_connection_is_refused(simulator):
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(connect_socket(simulator))
        url = web(simulator, None).apps_connections_open(app_token="xapp-1")["url"]
        with client.connect(url, proxy=None) as socket:
            assert receive_message(socket)["reason"] == "too_many_websockets"


def test_saved_state_omits_open_connections(tmp_path, simulator):
    with connect_socket(simulator):
        snapshot.save(simulator.app.state.vendors, tmp_path / "state")
        loaded = snapshot.load(tmp_path / "state")
    assert loaded is not None
    assert loaded["slack"].state()["connections"] == 0
