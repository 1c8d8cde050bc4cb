"""Polls of an Alertmanager whose answers are doubtful, or that fail on our side: nothing ends by them."""

import functools

import pytest

from router.sources import base, polled
from router.store import keys
from router.worker import polls
from tests.integration import alertmanagers, workers


@pytest.fixture
def playing(with_redis):
    return functools.partial(alertmanagers.run, with_redis)


@pytest.mark.parametrize("state", ["suppressed", "unprocessed"])
def test_what_is_silenced_or_inhibited_there_is_neither_opened_nor_absent(playing, state):
    async def play(scene):
        scene.there.has("f1", alertmanagers.BEGAN, state)
        scene.there.has("f2", alertmanagers.BEGAN, state)
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        await scene.poll(5)
        assert (await scene.on.incident()).firing == ["am/f1"]

    playing(play)


def started_at(moment):
    return {"status": (200, {"cluster": {"status": "ready"}, "uptime": alertmanagers.written(moment)})}


@pytest.mark.parametrize(
    ("fails", "result"),
    [
        ({"alerts": (503, {})}, "failed"),
        ({"status": (401, {})}, "failed"),
        ({"alerts": (200, {"not": "a list"})}, "failed"),
        ({"alerts": (200, [{"fingerprint": ""}])}, "failed"),
        ({"status": (200, {"cluster": {"status": "settling"}, "uptime": alertmanagers.written(1)})}, "partial"),
        (lambda: started_at(alertmanagers.START), "partial"),
    ],
)
def test_an_answer_that_is_not_whole_ends_nothing(playing, fails, result):
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

    playing(play)


def test_an_alertmanager_that_was_started_lately_may_tell_of_what_fires(playing):
    async def play(scene):
        scene.there.status["uptime"] = alertmanagers.written(alertmanagers.START)
        scene.there.has("f1", alertmanagers.BEGAN)
        assert await scene.poll(3) == ["partial"] * 3
        assert (await scene.on.incident()).firing == ["am/f1"]

    playing(play)


def test_an_alertmanager_without_a_cluster_is_believed(playing):
    async def play(scene):
        scene.there.status["cluster"] = {"status": "disabled"}
        assert await scene.poll() == ["whole"]

    playing(play)


def test_while_nothing_is_accepted_nothing_is_forgotten(playing):
    async def play(scene):
        scene.there.has("f1", alertmanagers.BEGAN)
        await scene.poll(2)
        scene.on.inbox.refusing = "full"
        assert await scene.poll() == ["unavailable"]
        scene.on.inbox.refusing = ""
        await scene.poll()
        assert (await scene.on.incident()).firing == ["am/f1"]

    playing(play)


def test_one_that_the_door_would_not_take_harms_no_other(playing):
    async def play(scene):
        parse = scene.read

        def choosy(body: bytes, now: int) -> base.Parsed:
            if b"bad" in body:
                raise base.Unparsable("labels", "too long")
            return parse(body, now)

        scene.asked = polls.Asked("am", scene.config, scene.http, choosy, polled.concerns(scene.config))
        scene.there.has("bad", alertmanagers.BEGAN)
        await scene.webhook(workers.firing("gone", alertmanagers.BEGAN))
        assert await scene.poll(3) == ["whole"] * 3
        assert (await scene.on.incident()).firing == []

    playing(play)


def test_a_fault_of_ours_ends_a_poll_and_not_the_door(playing):
    async def play(scene):
        scene.there.has("f1", alertmanagers.BEGAN)
        scene.polls._decide = lambda _one, _now: 1 / 0
        assert await scene.poll(3) == ["whole", "whole", "failed"]

    playing(play)


def test_a_memory_that_cannot_be_read_begins_anew(playing):
    async def play(scene):
        await scene.on.connection.set(keys.memory("am"), b"\xc1")
        assert await scene.poll() == ["whole"]

    playing(play)


def test_what_was_heard_of_anew_while_the_answer_was_under_way_does_not_end(playing):
    async def play(scene):
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        await scene.poll()
        again = workers.firing(starts_at=alertmanagers.BEGAN + alertmanagers.MINUTE)
        scene.there.meanwhile = [lambda: scene.webhook(again)]
        await scene.poll()
        assert (await scene.on.incident()).firing == ["am/f1"]
        assert "Alertmanager no longer has am/f1." not in await scene.told()

    playing(play)


def test_what_was_resolved_here_and_stays_active_there_is_back_and_ends_when_it_does(playing):
    async def play(scene):
        scene.there.has("f1", alertmanagers.BEGAN)
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

    playing(play)
