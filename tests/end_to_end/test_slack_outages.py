"""Clicks in Slack during outages of the router: each click is acknowledged, and the user gets the result."""

import contextlib
import signal
from pathlib import Path

import pytest

from router.store import embedded
from tests.end_to_end import harness, slack


@pytest.fixture
def scene(tmp_path):
    """A worker and two webhook servers on one Redis."""
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(embedded.running(tmp_path / "valkey"))
        at = stack.enter_context(harness.vendors())
        file = slack.configure(tmp_path, at)
        given = {**harness.SECRETS, **slack.TOKENS, "REDIS_URL": redis.url}
        started = []
        for name in ("web", "other", "worker"):
            ports = ["--name", "w"] if name == "worker" else ["--console-port", "0"]
            command = [harness.COMMAND, "worker" if name == "worker" else "web", "--config", str(file), *ports]
            command += ["--health-port", "0"] if name == "worker" else []
            started.append(harness.Process(command, tmp_path, name, forked=True, **given))
            stack.callback(started[-1].stop)
        router = harness.Router(started[0], file)
        wait_for_connections(at, 2)
        yield router, at, redis, started[:2]


def wait_for_connections(at, count):
    harness.eventually(f"{count} are connected", lambda: at.state()["slack"]["connections"] == count)


def set_ack_timeout(at, seconds):
    settings = {"ack_seconds": seconds, "retries": 2}
    assert harness.ask(f"{at.url}/workspace/app", settings, method="PUT")[0] == 200


def test_click_reaches_a_running_process(scene):
    router, at, _, (_, other) = scene
    frozen, killed = slack.Review((router, at), "Oslo"), slack.Review((router, at), "Bern")
    set_ack_timeout(at, 0.5)
    other._process.send_signal(signal.SIGSTOP)
    try:
        # Slack alternates between connections, so one of two clicks goes to the frozen process first.
        frozen.click("Approve")
        frozen.click("Approve")
        harness.eventually("the post is published", lambda: frozen.post)
    finally:
        other._process.send_signal(signal.SIGCONT)
    other.kill()
    wait_for_connections(at, 1)
    killed.click("Approve")
    harness.eventually("the post is published", lambda: killed.post)


def test_click_during_redis_outage_gets_a_reply(scene):
    router, at, redis, _ = scene
    review = slack.Review((router, at), "Rome")
    redis.stop()
    review.click("Approve")
    harness.eventually("the user gets the reply", lambda: review.replies("U0ADA"))
    assert at.state()["slack"]["failures"] == []
    Path(redis.socket).parent.mkdir()
    redis.start()

    def published():
        if review.has_buttons():
            review.click("Approve", version=0)
        return review.post

    harness.eventually("the post is published", published, every=0.5)
