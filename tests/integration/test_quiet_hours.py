"""Quiet hours in the delivery loop: held events survive worker restarts, and are coalesced at the end."""

import json

import pytest

from router import configuration
from router.bootstrap import notification_delivery
from router.domain import events, quiet_hours, times
from router.notifiers import apprise
from router.services import notifier_events
from router.store import keys
from router.telemetry import metrics
from router.worker import notifications
from tests.integration import notifiers, receiver, vendor, workers

DAY = 24 * workers.HOUR


class EndableQuietHours(quiet_hours.QuietHours):
    """Quiet hours that a test can end."""

    end = 2**62

    def until(self, now: int) -> int:
        return EndableQuietHours.end if now < EndableQuietHours.end else 0

    def retries_begin(self, at: int, within: int) -> int:  # noqa: ARG002 - the signature is that of the base
        return max(at, EndableQuietHours.end)


@pytest.fixture(autouse=True)
def night(monkeypatch):
    monkeypatch.setattr(EndableQuietHours, "end", EndableQuietHours.end)


def play(with_redis, body, *, configs=None, **exceptions) -> None:
    """Run ``body`` with a harness, a receiver, and the on-call destination during quiet hours."""

    async def main(store):
        with receiver.run_receiver() as at:
            made = {"hook": notifiers.webhook(at.url)} if configs is None else configs(at)
            async with notifiers.run_harness(store, vendor.on_call(vendor.Vendor()), configs=made) as harness:
                harness.channels.quiet["hook"] = EndableQuietHours((), **exceptions)
                EndableQuietHours.end = await harness.on.redis_now() + DAY
                await body(harness, at)

    with_redis(main)


async def end_quiet_hours(harness) -> None:
    """End the quiet hours, and deliver the held events."""
    EndableQuietHours.end = await harness.on.redis_now()
    await harness.on.notifications.wake("down")
    await harness.turn()


def test_events_are_held_until_quiet_hours_end(with_redis):
    async def body(harness, at):
        await harness.on.deliver(workers.firing())
        await harness.turn()
        assert at.requests == []
        assert await harness.on.store.redis.zscore(keys.notify("down"), "down") == EndableQuietHours.end
        await harness.on.deliver(workers.resolved())
        await harness.turn()
        assert at.requests == []
        await end_quiet_hours(harness)
        assert at.types == ["incident.opened", "incident.published", "incident.resolved"]
        await harness.turn()
        assert len(at.requests) == 3

    play(with_redis, body)


def test_incident_during_quiet_hours_is_one_message(with_redis):
    def by_apprise(at):
        return {"hook": apprise.Config(urls=[at.url.replace("http", "json", 1)])}

    async def body(harness, at):
        await harness.on.deliver(workers.firing())
        await harness.turn()
        await harness.on.deliver(workers.resolved())
        await harness.turn()
        await end_quiet_hours(harness)
        (message,) = [json.loads(request.body) for request in at.requests]
        assert message["title"].startswith("Resolved")

    play(with_redis, body, configs=by_apprise)


def test_passing_event_releases_earlier_held_events(with_redis):
    async def body(harness, at):
        await harness.on.deliver(workers.firing())
        await harness.turn()
        assert at.requests == []
        await harness.on.deliver(workers.resolved())
        await harness.turn()
        assert at.types == ["incident.opened", "incident.published", "incident.resolved"]

    play(with_redis, body, types=frozenset({"incident.resolved"}))


def test_passing_event_does_not_release_later_events(with_redis):
    async def body(harness, at):
        await harness.on.deliver(workers.firing())
        await harness.turn()
        assert at.types == ["incident.opened"]
        await end_quiet_hours(harness)
        assert at.types == ["incident.opened", "incident.published"]

    play(with_redis, body, types=frozenset({"incident.opened"}))


def test_another_worker_delivers_held_events(with_redis):
    async def body(harness, at):
        await harness.on.deliver(workers.firing())
        await harness.turn()
        harness.deliveries = harness.deliverer()
        await end_quiet_hours(harness)
        assert at.types == ["incident.opened", "incident.published"]

    play(with_redis, body)


def test_events_held_for_days_are_not_dropped(with_redis, monkeypatch):
    """Undelivered events are dropped after a day, but quiet hours may last a weekend."""
    monkeypatch.setattr(notifications, "GIVE_UP", 0)

    async def body(harness, at):
        await harness.on.deliver(workers.firing())
        await harness.turn()
        dropped = metrics.notifications.labels("hook", "dropped")._value.get()
        monkeypatch.setattr(notifications, "GIVE_UP", workers.HOUR)
        await end_quiet_hours(harness)
        assert at.types == ["incident.opened", "incident.published"]
        assert metrics.notifications.labels("hook", "dropped")._value.get() == dropped

    play(with_redis, body)


def test_redelivery_is_not_held(with_redis):
    async def body(harness, at):
        await harness.on.deliver(workers.firing())
        await harness.turn()
        assert await notifier_events.redeliver(harness.on.store, "hook", "down", 0) == 2
        await harness.deliver()
        assert at.types == ["incident.opened", "incident.published"]

    play(with_redis, body)


def test_replaced_events_are_counted_once(with_redis):
    async def body(harness, at):
        store = harness.on.notifications
        found = [events.FreezeStarted(times.to_datetime(1), "ann"), events.FreezeEnded("ann")] * 2
        recorded = [events.Recorded(0, await harness.on.redis_now(), "", "router", event) for event in found]
        assert await store.announce("", b"", events.TestSent("ann"), recorded)
        await harness.deliver()
        assert at.requests == []
        before = metrics.notifications.labels("hook", "coalesced")._value.get()
        at.answers = [500]
        EndableQuietHours.end = await harness.on.redis_now()
        await store.wake("")
        async with workers.asyncio.timeout(60):
            while len(at.requests) < 2:
                await harness.deliver()
                await workers.asyncio.sleep(0.005)
        assert at.types == ["freeze.ended", "freeze.ended"]
        assert metrics.notifications.labels("hook", "coalesced")._value.get() == before + 3

    play(with_redis, body)


def test_quiet_hours_are_read_from_the_configuration(with_redis, tmp_path):
    config = tmp_path / "incident-router.yaml"
    config.write_text(
        "notifiers:\n"
        "  ops:\n"
        "    kind: apprise\n"
        "    urls: [{env: OPS_URL}]\n"
        '    quiet_hours: {time_zone: Europe/Zurich, from: "22:00", to: "07:00", except: {severities: [critical]}}\n'
        "  other: {kind: apprise, urls: [{env: OPS_URL}]}\n"
    )

    async def main(store):
        loaded = configuration.load(config, {"OPS_URL": "json://127.0.0.1"})
        channels = notification_delivery._make_channels(loaded, store, lambda: 0)
        assert set(channels.quiet) == {"ops"}
        assert channels.quiet["ops"].severities == {"critical"}

    with_redis(main)
