"""Socket Mode with the simulated Slack: failures in which other clients lost messages, responded twice, or crashed."""

import asyncio
import contextlib
import json
import random

import pytest

from router.outbound import client
from router.simulator import server
from router.slack import socket_mode
from router.telemetry import metrics
from tests.end_to_end import harness

BUTTON = {"type": "button", "action_id": "approve", "value": "v1", "text": {"type": "plain_text", "text": "Approve"}}
ACTIONS = {"type": "actions", "elements": [BUTTON]}
OPEN = "/api/apps.connections.open"
FAST = socket_mode.ConnectionTimeouts(hello=5, ping=0.5, answer=1, drain=0.3, settled=0, backoff=0.01, cap=0.05)
TOKEN = "xapp-very-secret"


class App:
    """Records payloads, and returns or raises ``answer``. Waits for ``held`` if it is set."""

    def __init__(self) -> None:
        self.payloads = []
        self.answer = None
        self.held = None

    async def handle(self, kind, payload):
        self.payloads.append((kind, payload))
        if self.held is not None:
            await self.held.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Slack:
    """The simulated workspace, for coroutines."""

    def __init__(self, url):
        self.url = url

    async def ask(self, path, body=None, method=None):
        return await asyncio.to_thread(harness.ask, f"{self.url}{path}", body, "", method)

    async def strike(self, **fault):
        assert (await self.ask("/workspace/connections", fault))[0] == 201

    async def fault(self, **fault):
        assert (await self.ask("/faults", {"vendor": "slack", **fault}))[0] == 201

    async def state(self):
        return (await self.ask("/state"))[1]["slack"]

    async def configure(self, **settings):
        assert (await self.ask("/workspace/app", settings, "PUT"))[0] == 200

    async def post(self):
        """Post a message with a button, and return a function that clicks it."""
        body = {"channel": "incidents", "text": "one", "blocks": [ACTIONS]}
        status, said = await asyncio.to_thread(harness.ask, f"{self.url}/slack/api/chat.postMessage", body, "xoxb-1")
        assert status == 200
        return {"channel": "incidents", "ts": said["ts"], "action": "approve"}

    async def click(self):
        return (await self.ask("/workspace/clicks", await self.post()))[1]

    async def command(self, text=""):
        return (await self.ask("/workspace/commands", {"command": "/incidents", "text": text}))[1]

    async def opened(self):
        """The number of requested connection URLs."""
        return len((await self.ask(f"/calls?vendor=slack&path={OPEN}"))[1]["calls"])

    async def connections(self, count):
        async def met():
            return (await self.state())["connections"] == count

        await wait_until(met)


async def wait_until(met, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not await met():
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def simulator():
    with server.Server() as running:
        yield running


def opener(url, token=TOKEN):
    at = client.Client(
        name="slack-app",
        base_url=f"{url}/slack/api",
        headers={"authorization": f"Bearer {token}"},
        timeout_seconds=5,
        now=lambda: 0,
        secrets=[token],
    )

    async def open_url():
        return (await at.call("POST", "/apps.connections.open", json={})).body["url"]

    return open_url, at.aclose


@contextlib.asynccontextmanager
async def connect(url, app, timing=FAST):
    open_url, close = opener(url)
    async with socket_mode.SocketMode(open_url, app.handle, random.Random(1), timing).running():
        yield
    await close()


@pytest.fixture
def play(simulator):
    """Run a coroutine function with the workspace and an app, whose connection is open."""

    def run(body, timing=FAST, *, waits=True):
        async def main():
            slack, app = Slack(simulator.url), App()
            await slack.ask("/reset", {})
            await slack.configure(ack_seconds=3)
            async with connect(simulator.url, app, timing):
                if waits:
                    await slack.connections(1)
                async with asyncio.timeout(60):
                    await body(slack, app)
            await slack.ask("/reset", {})
            await slack.connections(0)

        asyncio.run(main())

    return run


def gauge():
    return metrics.REGISTRY.get_sample_value("incident_router_slack_connected")


def test_click_command_and_event_are_passed_on(play):
    async def body(slack, app):
        assert (await slack.click())["error"] == ""
        app.answer = {"text": "None is open."}
        assert (await slack.command("open"))["response"] == {"text": "None is open."}
        await slack.ask("/workspace/events", {"type": "app_home_opened"})
        assert [kind for kind, _ in app.payloads] == ["interactive", "slash_commands", "events"]
        assert app.payloads[0][1]["actions"][0]["value"] == "v1"
        assert gauge() == 1

    play(body)
    assert gauge() == 0


def test_acknowledgement_of_a_click_has_no_payload(play):
    """Slack accepts no payload in the acknowledgement of a click."""

    async def body(slack, app):
        app.answer = {"text": "not accepted"}
        assert (await slack.click())["error"] == ""

    play(body)


def test_refreshed_connection_is_replaced_before_it_closes(play):
    async def body(slack, app):
        await slack.strike(action="disconnect", reason="refresh_requested")
        await slack.connections(2)
        assert gauge() == 1
        assert (await slack.click())["error"] == ""
        await slack.connections(1)
        assert (await slack.click())["error"] == ""

    play(body, socket_mode.ConnectionTimeouts(backoff=0.01, cap=0.05, drain=0.5))


def test_envelope_on_a_replaced_connection_is_still_acknowledged(play):
    async def body(slack, app):
        app.held = asyncio.Event()
        click = asyncio.create_task(slack.click())
        await wait_until(lambda: asyncio.sleep(0, len(app.payloads) == 1))
        await slack.strike(action="disconnect", reason="warning")
        await slack.connections(2)
        app.held.set()
        assert (await click) == {"attempts": 1, "response": None, "error": ""}

    play(body, socket_mode.ConnectionTimeouts(backoff=0.01, cap=0.05, drain=5, answer=2.5))


def test_dropped_connection_reopens_with_a_new_url(play):
    async def body(slack, app):
        before = await slack.opened()
        await slack.strike(action="drop")
        await wait_until(lambda: opened_since(slack, before))
        await slack.connections(1)
        assert (await slack.click())["error"] == ""

    play(body)


async def opened_since(slack, before, count=1):
    return await slack.opened() >= before + count


def test_silent_connection_is_detected_and_replaced(play):
    """A connection may stay established without any traffic, and without an error."""

    async def body(slack, app):
        before = await slack.opened()
        await slack.strike(action="silence")
        await wait_until(lambda: opened_since(slack, before))

        async def answered():
            return (await slack.click())["error"] == ""

        await wait_until(answered)

    play(
        body, socket_mode.ConnectionTimeouts(hello=5, ping=0.2, answer=1, drain=0.3, settled=0, backoff=0.01, cap=0.05)
    )


@pytest.mark.parametrize("action", ["429", "500", "drop", "redirect", "gateway", "truncate"])
def test_failed_request_for_a_url_is_repeated(play, action):
    async def body(slack, app):
        before = await slack.opened()
        await slack.fault(action=action, method="POST", path=OPEN, retry_after=0, count=3)
        await slack.strike(action="drop")
        await wait_until(lambda: opened_since(slack, before, 4))
        await slack.connections(1)
        assert (await slack.click())["error"] == ""

    play(body)


@pytest.mark.parametrize("reason", ["too_many_websockets", "link_disabled", "something_new"])
def test_refused_connection_is_retried(capsys, play, reason):
    """A disconnect message may come instead of the hello."""

    async def body(slack, app):
        before = await slack.opened()
        await slack.strike(action="refuse", reason=reason, count=3)
        await slack.strike(action="drop")
        await wait_until(lambda: opened_since(slack, before, 4))
        await slack.connections(1)
        assert (await slack.click())["error"] == ""
        assert capsys.readouterr().out.count(f"reason={reason} ") == 3

    play(body)


def test_disabled_socket_mode_is_retried_rarely(capsys, play):
    async def body(slack, app):
        await slack.strike(action="refuse", reason="link_disabled")
        await slack.strike(action="disconnect", reason="link_disabled", closes=True)

        async def is_logged():
            return "reason=link_disabled retry_seconds=600" in capsys.readouterr().out

        await wait_until(is_logged)

    play(body, socket_mode.ConnectionTimeouts(backoff=0.01, cap=600))


@pytest.mark.parametrize("wrong", [RuntimeError("boom"), 7, ""])
def test_unexpected_error_does_not_end_the_attempts(simulator, wrong):
    """A process without further attempts would look healthy, but receive nothing until it restarts."""

    async def main():
        slack, answers = Slack(simulator.url), [wrong, wrong]
        await slack.ask("/reset", {})
        open_url, close = opener(simulator.url)

        async def failing():
            answer = answers.pop() if answers else await open_url()
            if isinstance(answer, Exception):
                raise answer
            return answer

        async with socket_mode.SocketMode(failing, App().handle, random.Random(1), FAST).running():
            await slack.connections(1)
        await close()

    asyncio.run(main())


def test_connection_with_a_wrong_token_is_retried(simulator):
    async def main():
        open_url, close = opener(simulator.url, "xoxb-wrong-kind")
        app, asked = App(), []

        async def counted():
            asked.append(1)
            return await open_url()

        async with socket_mode.SocketMode(counted, app.handle, random.Random(1), FAST).running():
            await wait_until(lambda: asyncio.sleep(0, len(asked) > 2))
            assert gauge() == 0
        await close()

    asyncio.run(main())


def test_unreadable_messages_are_ignored(play):
    async def body(slack, app):
        await slack.strike(action="garble")
        assert (await slack.click())["error"] == ""

    play(body)


def test_failing_app_is_acknowledged_with_an_apology(play):
    async def body(slack, app):
        app.answer = RuntimeError("boom")
        assert (await slack.click())["error"] == ""
        outcome = await slack.command()
        assert outcome["response"]["response_type"] == "ephemeral"
        assert (await slack.state())["failures"] == []

    play(body)


def test_slow_app_is_acknowledged_in_time(play):
    async def body(slack, app):
        app.held = asyncio.Event()
        assert (await slack.click())["error"] == ""
        assert "could not" in (await slack.command())["response"]["text"]
        app.held.set()

    play(body, socket_mode.ConnectionTimeouts(answer=0.05, settled=0, backoff=0.01, cap=0.05))


def test_slow_payload_delays_no_other(play):
    async def body(slack, app):
        app.held = asyncio.Event()
        slow = asyncio.create_task(slack.click())
        await wait_until(lambda: asyncio.sleep(0, len(app.payloads) == 1))
        held, app.held = app.held, None
        assert (await slack.click())["error"] == ""
        held.set()
        assert (await slow)["error"] == ""

    play(body, socket_mode.ConnectionTimeouts(answer=2.5, settled=0, backoff=0.01, cap=0.05))


def test_repeated_envelope_is_handled_once(play):
    async def body(slack, app):
        app.answer = {"text": "None is open."}
        await slack.configure(ack_seconds=0.3)
        await slack.strike(action="lose-acks")
        outcome = await slack.command()
        assert (outcome["attempts"], outcome["response"]) == (2, {"text": "None is open."})
        await slack.strike(action="twice")
        assert (await slack.click())["error"] == ""
        assert len(app.payloads) == 2

    play(body)


def test_retried_envelope_of_another_process_is_handled(play):
    """A retry may be the only delivery that is handled, because the first one went to a process that died."""

    async def body(slack, app):
        other = App()
        other.held = asyncio.Event()
        slow = socket_mode.ConnectionTimeouts(answer=2.5, settled=0, backoff=0.01, cap=0.05)
        async with connect(slack.url, other, slow):
            await slack.connections(2)
            await slack.configure(ack_seconds=0.3)
            outcomes = [await slack.click() for _ in range(2)]
            assert [outcome["error"] for outcome in outcomes] == ["", ""]
            assert sorted(outcome["attempts"] for outcome in outcomes) == [1, 2]
            assert len(app.payloads) == 2
            other.held.set()

    play(body)


def test_processes_share_the_clicks(play):
    async def body(slack, app):
        other = App()
        async with connect(slack.url, other):
            await slack.connections(2)
            for _ in range(4):
                assert (await slack.click())["error"] == ""
            assert (len(app.payloads), len(other.payloads)) == (2, 2)

    play(body)


def test_shutdown_acknowledges_payloads_in_progress(simulator):
    async def main():
        slack, app = Slack(simulator.url), App()
        app.held = asyncio.Event()
        await slack.ask("/reset", {})
        async with connect(simulator.url, app, socket_mode.ConnectionTimeouts(answer=2.5)):
            await slack.connections(1)
            click = asyncio.create_task(slack.click())
            await wait_until(lambda: asyncio.sleep(0, len(app.payloads) == 1))
            asyncio.get_running_loop().call_later(0.05, app.held.set)
        assert (await click)["error"] == ""

    asyncio.run(main())


@pytest.mark.parametrize("action", ["hang", "500"])
def test_stop_does_not_wait_for_a_connection(simulator, action):
    async def main():
        slack = Slack(simulator.url)
        await slack.ask("/reset", {})
        before = await slack.opened()
        await slack.fault(action=action, method="POST", path=OPEN, hang_seconds=600, count=100)
        async with (
            asyncio.timeout(5),
            connect(simulator.url, App(), socket_mode.ConnectionTimeouts(backoff=600, cap=600)),
        ):
            await wait_until(lambda: opened_since(slack, before))
        await slack.ask("/faults", method="DELETE")

    asyncio.run(main())


def test_log_contains_neither_tokens_nor_tickets(capsys, play):
    async def body(slack, app):
        await slack.fault(action="500", method="POST", path=OPEN)
        await slack.strike(action="refuse", count=2)
        await slack.strike(action="drop")
        await slack.connections(1)
        await slack.click()

    play(body)
    said = "".join(capsys.readouterr())
    assert "slack_connection_failed" in said
    assert TOKEN not in said
    assert "ticket" not in said
    assert "respond/" not in said


def test_number_of_kept_responses_is_bounded():
    async def main():
        app = App()
        made = socket_mode.SocketMode(lambda: None, app.handle, random.Random(1))
        for number in range(1500):
            envelope = socket_mode._Envelope(str(number), "events", {}, False)
            await made._answer(envelope)
        assert len(made._answers) == 1000
        assert json.dumps(app.payloads[0]) == '["events", {}]'

    asyncio.run(main())
