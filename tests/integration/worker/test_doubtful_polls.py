"""Incomplete or failing polls of an Alertmanager resolve nothing."""

import functools

import pytest

from router.sources import base, polled
from router.store import keys
from router.worker import alertmanager_sync
from tests.integration import alertmanagers, workers


@pytest.fixture
def run_scene(with_redis):
    return functools.partial(alertmanagers.run, with_redis)


@pytest.mark.parametrize("state", ["suppressed", "unprocessed"])
def test_suppressed_alert_is_neither_opened_nor_resolved(run_scene, state):
    async def play(scene):
        scene.there.add_alert("f1", alertmanagers.BEGAN, state)
        scene.there.add_alert("f2", alertmanagers.BEGAN, state)
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        await scene.poll(5)
        assert (await scene.on.incident()).firing == ["am/f1"]

    run_scene(play)


def started_at(moment):
    return {"status": (200, {"cluster": {"status": "ready"}, "uptime": alertmanagers.format_time(moment)})}


@pytest.mark.parametrize(
    ("fails", "result"),
    [
        ({"alerts": (503, {})}, "failed"),
        ({"status": (401, {})}, "failed"),
        ({"alerts": (200, {"not": "a list"})}, "failed"),
        ({"alerts": (200, [{"fingerprint": ""}])}, "failed"),
        ({"status": (200, {"cluster": {"status": "settling"}, "uptime": alertmanagers.format_time(1)})}, "partial"),
        (lambda: started_at(alertmanagers.START), "partial"),
    ],
)
def test_incomplete_poll_resolves_nothing(run_scene, fails, result):
    async def play(scene):
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        scene.there.fails = fails() if callable(fails) else fails
        assert await scene.poll(4) == [result] * 4
        assert (await scene.on.incident()).firing == ["am/f1"]
        scene.there.fails = {}
        await scene.poll()
        assert (await scene.on.incident()).firing == ["am/f1"]
        await scene.poll()
        assert (await scene.on.incident()).firing == []

    run_scene(play)


def test_restarted_alertmanager_can_open_but_not_resolve(run_scene):
    async def play(scene):
        scene.there.status["uptime"] = alertmanagers.format_time(alertmanagers.START)
        scene.there.add_alert("f1", alertmanagers.BEGAN)
        assert await scene.poll(3) == ["partial"] * 3
        assert (await scene.on.incident()).firing == ["am/f1"]

    run_scene(play)


def test_alertmanager_without_cluster_is_trusted(run_scene):
    async def play(scene):
        scene.there.status["cluster"] = {"status": "disabled"}
        assert await scene.poll() == ["whole"]

    run_scene(play)


def test_refused_poll_delivery_resolves_nothing(run_scene):
    async def play(scene):
        scene.there.add_alert("f1", alertmanagers.BEGAN)
        await scene.poll(2)
        scene.inbox.refusing = "full"
        assert await scene.poll() == ["unavailable"]
        scene.inbox.refusing = ""
        await scene.poll()
        assert (await scene.on.incident()).firing == ["am/f1"]

    run_scene(play)


def test_unacceptable_polled_alert_affects_no_other(run_scene):
    async def play(scene):
        parse = scene.read

        def choosy(body: bytes, now: int) -> base.Parsed:
            if b"bad" in body:
                raise base.Unparsable("labels", "too long")
            return parse(body, now)

        scene.asked = alertmanager_sync.PolledSource(
            "am", scene.config, scene.http, choosy, polled.make_selector(scene.config)
        )
        scene.there.add_alert("bad", alertmanagers.BEGAN)
        await scene.webhook(workers.firing("gone", alertmanagers.BEGAN))
        assert await scene.poll(3) == ["whole"] * 3
        assert (await scene.on.incident()).firing == []

    run_scene(play)


def test_internal_error_ends_only_the_poll(run_scene):
    async def play(scene):
        scene.there.add_alert("f1", alertmanagers.BEGAN)
        scene.polls._decide = lambda _one, _now: 1 / 0
        assert await scene.poll(3) == ["whole", "whole", "failed"]

    run_scene(play)


def test_unreadable_poll_state_is_replaced(run_scene):
    async def play(scene):
        await scene.on.store.redis.set(keys.poll_memory("am"), b"\xc1")
        assert await scene.poll() == ["whole"]

    run_scene(play)


def test_alert_received_during_poll_does_not_end(run_scene):
    async def play(scene):
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        await scene.poll()
        again = workers.firing(starts_at=alertmanagers.BEGAN + alertmanagers.MINUTE)
        scene.there.meanwhile = [lambda: scene.webhook(again)]
        await scene.poll()
        assert (await scene.on.incident()).firing == ["am/f1"]
        assert "Alertmanager no longer has am/f1." not in await scene.timeline_texts()

    run_scene(play)


def test_poll_reopens_alert_that_stays_active(run_scene):
    """The incident resolves when the Alertmanager resolves the alert."""

    async def play(scene):
        scene.there.add_alert("f1", alertmanagers.BEGAN)
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        await scene.webhook(workers.resolved(starts_at=alertmanagers.BEGAN))
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        await scene.poll(10)
        assert (await scene.on.incident()).firing == []
        await scene.poll()
        assert (await scene.on.incident()).firing == ["am/f1"]
        scene.there.alerts.clear()
        await scene.poll(2)
        assert (await scene.on.incident()).firing == []

    run_scene(play)
