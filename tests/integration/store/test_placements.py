"""The placement of alerts in incidents."""

import asyncio

from router.domain import alerts, decisions, severities, silences
from router.worker import placements
from tests.integration import workers

MAJOR = severities.Severity.MAJOR


def make_alert(name: str, status: alerts.Status = "firing", starts_at: int = 100) -> alerts.Alert:
    return alerts.Alert("am", name, status, starts_at, starts_at + 50 if status == "resolved" else 0, title=name)


def route(alert: alerts.Alert, key: str, **more) -> decisions.Routed:
    return decisions.Routed(alert, decisions.Decision(key, MAJOR, workers.rule(), **more))


async def find(on: workers.WorkerHarness, *asked: decisions.Routed) -> list[placements.Placement]:
    return await placements.Placements(on.store, on.mutes).find(asked, await on.redis_now())


def test_firing_alert_stays_in_its_incident(with_redis):
    async def play(on):
        await on.deliver(make_alert("a"), key="old")
        await on.turn()
        asked = [
            route(make_alert("a"), "new"),
            route(make_alert("b"), "new"),
            route(make_alert("a", "resolved"), "new"),
        ]
        assert [one.incident_key for one in await find(on, *asked)] == ["old", "new", "old"]
        await on.deliver(make_alert("a", "resolved"), key="old")
        await on.turn()
        fires_anew = route(make_alert("a", starts_at=900), "new")
        assert [one.incident_key for one in await find(on, fires_anew)] == ["new"]

    workers.run(with_redis, play)


def test_mute_is_named_unless_the_alert_has_opened(with_redis):
    async def play(on):
        await on.deliver(make_alert("a"), key="shop")
        await on.turn()
        now = await on.redis_now()
        matcher = silences.matcher("source=am")
        await on.store.silences.save(silences.Silence("s", (matcher,), now, now + workers.HOUR, "ann"))
        await on.mutes.refresh()
        asked = [
            route(make_alert("a"), "shop"),
            route(make_alert("b"), "shop"),
            route(make_alert("b", "resolved"), "shop"),
        ]
        assert [one.mute.by if one.mute else "" for one in await find(on, *asked)] == ["", "silence s of ann", ""]
        window = route(make_alert("c"), "shop", mute_windows=((now, now + workers.HOUR, "night"),))
        (placement,) = await find(on, window)
        assert placement.mute.kind == "window"

    workers.run(with_redis, play)


def test_inhibiting_incident_is_named(with_redis):
    async def play(on):
        await on.deliver(make_alert("a"), key="region")
        await on.turn()
        (placement,) = await find(on, route(make_alert("b"), "shop", while_open=("region",)))
        assert placement.mute.by == "incident region"

    workers.run(with_redis, play)


def test_concurrent_look_ups_share_round_trips(with_redis):
    """Concurrent look-ups of 100 deliveries run few scripts."""

    async def play(on):
        await on.deliver(*(make_alert(f"a{number}") for number in range(100)), key="old")
        await on.turn()
        before = (await on.store.redis.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"]
        shared = placements.Placements(on.store, on.mutes)
        now = await on.redis_now()
        asked = [[route(make_alert(f"a{number}"), "new")] for number in range(100)]
        found = await asyncio.gather(*(shared.find(one, now, shared.look_up(one)) for one in asked))
        assert {placement.incident_key for (placement,) in found} == {"old"}
        scripts = (await on.store.redis.info("commandstats"))["cmdstat_evalsha"]["calls"] - before
        assert scripts < 150, "one script a shard for all, and a look at the incident each"

    workers.run(with_redis, play)


def test_cancelled_look_up_affects_no_other_caller(with_redis):
    async def play(on):
        await on.deliver(make_alert("a"), key="old")
        await on.turn()
        shared = placements.Placements(on.store, on.mutes)
        asked = [route(make_alert("a"), "new")]
        gone, waits = shared.look_up(asked), shared.look_up(asked)
        gone.cancel()
        assert (await shared.find(asked, await on.redis_now(), waits))[0].incident_key == "old"

    workers.run(with_redis, play)
