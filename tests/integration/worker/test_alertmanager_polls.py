"""Polls of an Alertmanager repair lost webhooks, by one process at a time."""

import asyncio
import functools

import msgspec
import pytest

from router.domain import fold, silences
from router.sources import alertmanager, base, polled
from router.store import archive, codec, keys
from router.telemetry import metrics
from router.worker import alertmanager_sync
from tests.end_to_end import harness
from tests.integration import alertmanagers, vendor, workers


@pytest.fixture
def run_scene(with_redis):
    return functools.partial(alertmanagers.run, with_redis)


def count_polls(outcome: str) -> float:
    return metrics.polled_alerts.labels("am", outcome)._value.get()


def test_poll_opens_incident_of_lost_webhook(run_scene):
    at = vendor.Vendor()

    async def play(scene):
        before = count_polls("found")
        scene.there.add_alert("f1", alertmanagers.BEGAN, service="checkout")
        assert await scene.poll(2) == ["whole", "whole"]
        assert at.calls == []
        await scene.poll()
        assert at.states() == ["open"]
        one = await scene.on.incident()
        assert one.opening_alert.title == "f1 is down"
        assert one.opening_alert.labels == {"alertname": "Down", "service": "checkout"}
        assert one.opening_alert.starts_at == alertmanagers.BEGAN // 1000 * 1000
        assert count_polls("found") == before + 1
        late = msgspec.structs.replace(workers.firing(starts_at=alertmanagers.BEGAN), title="late")
        await scene.webhook(late)
        await scene.poll(5)
        assert at.states() == ["open"]
        assert count_polls("found") == before + 1
        await scene.webhook(workers.resolved(starts_at=alertmanagers.BEGAN))
        assert at.states() == ["resolved"]

    run_scene(play, vendor.on_call(at))


def test_poll_ends_alert_of_lost_resolution(run_scene):
    at = vendor.Vendor()

    async def play(scene):
        before = count_polls("ended")
        scene.there.add_alert("f1", alertmanagers.BEGAN)
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        await scene.poll(3)
        assert at.states() == ["open"]
        del scene.there.alerts["f1"]
        await scene.poll()
        assert at.states() == ["open"]
        first = scene.now
        await scene.poll()
        assert at.states() == ["resolved"]
        assert (await scene.on.incident()).alerts["am/f1"].ends_at == first
        assert (await scene.timeline_texts())[2:4] == ["Alertmanager no longer has am/f1.", "All alerts are resolved."]
        assert count_polls("ended") == before + 1
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        await scene.poll(3)
        assert at.states() == ["resolved"]

    run_scene(play, vendor.on_call(at))


def test_poll_keeps_active_alert_from_expiring(run_scene):
    async def play(scene):
        found, repeated = count_polls("found"), count_polls("repeated")
        soon = await scene.on.redis_now() + 3 * alertmanagers.MINUTE
        scene.there.add_alert("f1", alertmanagers.BEGAN)
        await scene.webhook(msgspec.structs.replace(workers.firing(starts_at=alertmanagers.BEGAN), ends_at=soon))
        parse = scene.read

        def expiring(body: bytes, now: int) -> base.Parsed:
            (one,) = parse(body, now).alerts
            return base.Parsed([msgspec.structs.replace(one, ends_at=soon + workers.HOUR)])

        scene.asked = alertmanager_sync.PolledSource(
            "am", scene.config, scene.http, expiring, polled.make_selector(scene.config)
        )
        await scene.poll(4)
        assert (await scene.on.incident()).alerts["am/f1"].ends_at == soon + workers.HOUR
        assert (count_polls("found"), count_polls("repeated")) == (found, repeated + 1)

    run_scene(play)


def test_silenced_alert_resolved_in_poll_opens_nothing(run_scene):
    at = vendor.Vendor()

    async def play(scene):
        now = await scene.on.redis_now()
        until = now + workers.HOUR
        quiet = silences.Silence("s1", (silences.matcher('source="am"'),), now - 1, until, "ann", "works")
        await scene.on.store.silences.save(quiet)
        await scene.on.mutes.refresh()
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        assert list((await scene.on.incident()).muted) == ["am/f1"]
        await scene.poll(2)
        assert (await scene.on.incident()).muted == {}
        assert "Alertmanager no longer has am/f1." in await scene.timeline_texts()
        assert at.calls == []

    run_scene(play, vendor.on_call(at))


def test_moved_alert_ends_in_its_new_incident(run_scene):
    async def play(scene):
        await scene.webhook(workers.resolved(starts_at=alertmanagers.BEGAN - workers.HOUR))
        await scene.on.deliver(workers.firing(starts_at=alertmanagers.BEGAN), key="other", received_at=scene.now)
        await scene.on.turn()
        await scene.poll(2)
        assert (await scene.on.incident("other")).firing == []
        assert "Alertmanager no longer has am/f1." in await scene.timeline_texts("other")

    run_scene(play)


def test_poll_does_not_change_recent_webhook_alerts(run_scene):
    async def play(scene):
        scene.there.add_alert("f1", alertmanagers.BEGAN)
        await scene.poll()
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        before = await scene.timeline_texts()
        await scene.poll(4)
        assert await scene.timeline_texts() == before
        assert await scene.on.store.inbox.depth() == (0, 0)

    run_scene(play)


def test_poll_opens_matching_alerts_of_receiver_only(run_scene):
    """Other alerts don't count as resolved."""

    async def play(scene):
        scene.there.add_alert("elsewhere", alertmanagers.BEGAN, receivers=("pager", "not-router"), env="prod")
        scene.there.add_alert("staging", alertmanagers.BEGAN, receivers=("pager", "router-eu"), env="staging")
        scene.there.add_alert("ours", alertmanagers.BEGAN, receivers=("pager", "router-eu"), env="prod")
        await scene.webhook(
            workers.firing("staging", alertmanagers.BEGAN), workers.firing("elsewhere", alertmanagers.BEGAN)
        )
        await scene.poll(4)
        assert (await scene.on.incident()).firing == ["am/elsewhere", "am/ours", "am/staging"]
        (query,) = {str(request.query_params) for request in scene.there.asked if request.query_params}
        assert query == "active=true&silenced=true&inhibited=true&unprocessed=true"

    run_scene(play, receiver="router-.*", filter=['env="prod"'])


def test_poll_does_not_change_alerts_of_other_sources(run_scene):
    async def play(scene):
        other = msgspec.structs.replace(workers.firing(), source="grafana")
        await scene.webhook(other)
        await scene.poll(4)
        assert (await scene.on.incident()).firing == ["grafana/f1"]

    run_scene(play)


def test_poll_skips_ignored_alerts_and_heartbeats(run_scene):
    async def play(scene):
        scene.there.add_alert("f1", alertmanagers.BEGAN, noise="yes")
        scene.there.add_alert("f2", alertmanagers.BEGAN, beat="yes", key="beating")
        await scene.poll(5)
        assert await scene.on.incidents.names() == []

    run_scene(play)


def test_poll_adds_nothing_to_full_incident(run_scene, monkeypatch):
    monkeypatch.setattr(fold, "MAX_HELD_ALERTS", 1)

    async def play(scene):
        for name in ("f1", "f2"):
            scene.there.add_alert(name, alertmanagers.BEGAN)
        await scene.webhook(workers.firing(starts_at=alertmanagers.BEGAN))
        await scene.poll(6)
        assert (await scene.on.incident()).overflow_count == 0

    run_scene(play)


def test_another_process_continues_polling_after_a_crash(run_scene):
    async def play(scene):
        scene.there.add_alert("f1", alertmanagers.BEGAN)
        await scene.poll(2)
        assert await scene.worker().turn(scene.asked) == ""
        scene.polls = scene.worker()
        await scene.poll()
        assert (await scene.on.incident()).firing == ["am/f1"]
        assert 0 < await scene.on.store.redis.pttl(keys.poll_turn("am")) <= 60_000

    run_scene(play)


def test_large_poll_is_delivered_in_parts(run_scene):
    names = [f"f{number:03}" for number in range(300)]

    async def play(scene):
        for name in names:
            scene.there.add_alert(name, alertmanagers.BEGAN)
        await scene.poll(3)
        assert len((await scene.on.incident()).firing) == 300
        scene.there.alerts = {"f000": scene.there.alerts["f000"]}
        await scene.poll(2)
        assert (await scene.on.incident()).firing == ["am/f000"]
        assert "Alertmanager no longer has am/f001, am/f002, am/f003, am/f004, am/f005 and 294 more." in (
            await scene.timeline_texts()
        )

    run_scene(play)


def test_poll_sends_its_token(run_scene):
    async def play(scene):
        await scene.poll()
        assert {request.headers["authorization"] for request in scene.there.asked} == {"Bearer word"}

    run_scene(play, bearer="word")


def test_polled_delivery_is_archived_as_polled(with_redis):
    async def body(store):
        on = workers.WorkerHarness(store)
        on.reader = store.make_inbox_reader("w1", archives=True)
        on.triage._reader = on.reader
        there = alertmanagers.Alertmanager(alertmanagers.START - workers.HOUR)
        async with there.serving() as url:
            scene = alertmanagers.AlertmanagerHarness(on, there, url)
            there.add_alert("f1", alertmanagers.BEGAN)
            await scene.poll(3)
            await scene.http.aclose()
        entries = await archive.Archive(store.connection, retention=workers.HOUR, max_bytes=2**20).newest(9)
        (bodies,) = [codec.unpack_body(entry[1]) for entry in await store.redis.xrange(keys.ARCHIVE)]
        assert len(entries) == 1
        written = msgspec.json.decode(bodies)
        assert (written["version"], written["notification_reason"]) == ("4", "poll")
        again = alertmanager.Alertmanager("am").parse(bodies, {}, 1)
        assert [alert.identity for alert in again.alerts] == ["am/f1"]

    with_redis(body)


def test_running_router_polls_by_current_rules(tmp_path):
    async def main():
        there = alertmanagers.Alertmanager(alertmanagers.START)
        there.add_alert("f1", alertmanagers.BEGAN, service="checkout")
        async with there.serving() as url:
            await asyncio.to_thread(play, url, there)

    def play(url: str, destination: alertmanagers.Alertmanager) -> None:
        with harness.vendors() as at:
            file = harness.configure(tmp_path, at)
            poll = f'{{kind: alertmanager, poll: {{url: "{url}", every: 1s, basic: {{env: BASIC}}}}, '
            file.write_text(file.read_text().replace("{kind: alertmanager, ", poll))
            with harness.router(tmp_path, file, BASIC="ann:word"):
                harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
                destination.alerts.clear()
                harness.eventually("the incident is resolved everywhere", lambda: at.is_everywhere("resolved"))
        assert {request.headers["authorization"] for request in destination.asked} == {"Basic YW5uOndvcmQ="}

    asyncio.run(main())
