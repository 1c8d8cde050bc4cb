"""Every change reaches every notifier that subscribes to it, over real HTTP, in order, despite failures."""

import asyncio

import msgspec
import pytest

from router.domain import announcements, decisions, events
from router.notifiers import base
from router.store import keys
from router.telemetry import metrics
from router.worker import circuit_breaker, notifications
from tests.integration import notifiers, receiver, vendor, workers

PAGE_FIELDS = {"title": "Checkout fails", "message": "We are on it.", "components": ["Checkout API"]}


def play(with_redis, body, *, configs=None, **more) -> None:
    """Run ``body`` with a harness, a receiver, the public page, and the on-call destination."""
    page, pager = vendor.Vendor(), vendor.Vendor()
    places = vendor.place("page", page, public=True), vendor.on_call(pager)

    async def main(store):
        with receiver.run_receiver() as at:
            made = configs(at) if configs else {"hook": notifiers.webhook(f"{at.url}/in?token=s3cret")}
            async with notifiers.run_harness(store, *places, configs=made, **more) as harness:
                await body(harness, at, page)

    with_redis(main)


def make_review_response(**more) -> decisions.Response:
    return workers.rule(decisions.Target("on-call", {"name": "Down"}), decisions.Target("page", PAGE_FIELDS, **more))


def test_life_of_an_incident_is_delivered_in_order(with_redis):
    async def body(harness, at, _):
        await harness.on.deliver(workers.firing(), response=make_review_response(publish="auto"))
        await harness.turn()
        assert at.types == ["incident.opened", "incident.published"]
        await harness.on.deliver(workers.resolved())
        await harness.turn()
        assert at.types[2:] == ["incident.resolved"]
        assert [request.event["sequence"] for request in at.requests] == ["0000000001", "0000000002", "0000000003"]
        assert {request.event["subject"] for request in at.requests} == {"down"}
        assert {request.event["source"] for request in at.requests} == {"/incident-router/prod"}
        await harness.turn()
        assert len(at.requests) == 3

    play(with_redis, body)


def test_review_event_contains_the_public_text(with_redis):
    async def body(harness, at, _):
        await harness.on.deliver(
            workers.firing(), response=make_review_response(publish="review", deadline=workers.HOUR)
        )
        await harness.turn()
        waiting = at.requests[-1].event["data"]
        assert waiting["type"] == "review.waiting"
        assert waiting["review"]["message"] == "We are on it."
        assert waiting["review"]["at_deadline"] == "dismiss"
        assert waiting["review"]["digest"]
        await harness.on.deliver(workers.resolved())
        await harness.turn()
        decided = [
            request.event["data"] for request in at.requests if request.event["data"]["type"] == "review.decided"
        ]
        assert [one["outcome"] for one in decided] == ["withdrawn"]

    play(with_redis, body)


def test_refused_operation_is_delivered(with_redis):
    async def body(harness, at, page):
        page.before.append(vendor.make_permanent())
        await harness.on.deliver(workers.firing(), response=make_review_response(publish="auto"))
        await harness.turn()
        (failed,) = [request.event["data"] for request in at.requests if "operation" in request.event["type"]]
        assert (failed["destination"], failed["problem"]) == ("page", "422: no such component")

    play(with_redis, body)


def test_freeze_and_guard_are_delivered_with_names(with_redis):
    async def body(harness, at, _):
        await harness.on.store.publishing_controls.freeze("ann", workers.LONG_AGO, "all hands")
        await harness.on.store.publishing_controls.trip_page("page", workers.LONG_AGO, "conflicting alerts")
        await harness.turn()
        await harness.on.store.publishing_controls.unfreeze("bob", workers.LONG_AGO + 1)
        await harness.on.store.publishing_controls.reset("carl", workers.LONG_AGO + 2)
        await harness.turn()
        said = [request.event["data"] for request in at.requests]
        assert [one["type"] for one in said] == ["freeze.started", "guard.tripped", "freeze.ended", "guard.reset"]
        assert [one.get("by", "") for one in said] == ["ann", "", "bob", "carl"]
        assert (said[0]["reason"], said[1]["destination"]) == ("all hands", "page")
        assert "subject" not in at.requests[0].event

    play(with_redis, body)


def test_freeze_between_two_checks_is_announced(with_redis):
    async def body(harness, at, _):
        await harness.turn()
        await harness.on.store.publishing_controls.freeze("ann", workers.LONG_AGO, "")
        await harness.on.store.publishing_controls.unfreeze("bob", workers.LONG_AGO + 1)
        await harness.turn()
        assert at.types == ["freeze.ended"]

    play(with_redis, body)


def test_dead_delivery_is_delivered(with_redis):
    async def body(harness, at, _):
        await harness.on.store.redis.xadd(keys.DEAD, {"reason": "not readable", "b": "{}"})
        await harness.turn()
        await harness.turn()
        (failed,) = [request.event["data"] for request in at.requests]
        assert (failed["type"], failed["dead_letters"]) == ("deliveries.failed", 1)

    play(with_redis, body)


def test_notifier_receives_only_the_topics_it_subscribes_to(with_redis):
    async def body(harness, at, _):
        await harness.on.deliver(workers.firing(), response=make_review_response())
        await harness.turn()
        assert at.types == ["review.waiting"]

    play(with_redis, body, topics={"reviews": ("hook",)})


def test_rule_s_notifier_receives_all_its_incidents_events(with_redis):
    async def body(harness, at, _):
        named = msgspec.structs.replace(make_review_response(), notify=("hook",))
        await harness.on.deliver(workers.firing(), response=named)
        await harness.on.deliver(workers.firing("f2"), key="other", response=make_review_response())
        await harness.turn()
        assert {request.event["subject"] for request in at.requests} == {"down"}
        assert "incident.opened" in at.types

    play(with_redis, body, topics={})


def test_owners_notifier_receives_all_its_incidents(with_redis):
    async def body(harness, at, _):
        owned = msgspec.structs.replace(make_review_response(), owner="team-checkout")
        await harness.on.deliver(workers.firing(), response=owned)
        await harness.on.deliver(workers.firing("f2"), key="other", response=make_review_response())
        await harness.on.store.publishing_controls.freeze("ann", workers.LONG_AGO, "")
        await harness.turn()
        assert {request.event.get("subject") for request in at.requests} == {"down"}
        assert at.types == ["incident.opened", "incident.published", "review.waiting"]

    play(with_redis, body, topics={}, owners={"team-checkout": ("hook",)})


def test_notifier_named_twice_receives_an_event_once(with_redis):
    async def body(harness, at, _):
        owned = msgspec.structs.replace(make_review_response(publish="auto"), owner="team-checkout", notify=("hook",))
        await harness.on.deliver(workers.firing(), response=owned)
        await harness.turn()
        assert at.types == ["incident.opened", "incident.published"]

    play(with_redis, body, owners={"team-checkout": ("hook",)})


def test_failed_delivery_is_retried_unchanged(with_redis):
    async def body(harness, at, _):
        at.answers = [500, 404, 301]
        await harness.on.deliver(workers.firing())
        await harness.wait_until(lambda: len(at.requests) == 5)
        opened = at.requests[:4]
        assert len({(request.headers["webhook-id"], request.body) for request in opened}) == 1
        assert at.types[4] == "incident.published"

    play(with_redis, body)


def test_retry_after_of_a_receiver_delays_deliveries(with_redis):
    async def body(harness, at, _):
        at.answers = [(429, {"retry-after": "120"})]
        await harness.on.deliver(workers.firing())
        await harness.turn()
        for _ in range(3):
            await harness.turn()
        assert len(at.requests) == 1
        due = await harness.on.store.redis.zscore(keys.notify("down"), "down")
        assert due - await harness.on.redis_now() > 60_000_000

    play(with_redis, body)


def test_dead_notifier_delays_neither_incidents_nor_other_notifiers(with_redis):
    def both(at):
        return {"dead": notifiers.webhook("http://127.0.0.1:9/"), "hook": notifiers.webhook(at.url)}

    async def body(harness, at, page):
        for number in range(circuit_breaker.FAILURES + 3):
            name = f"incident-{number}"
            await harness.on.deliver(workers.firing(name), key=name, response=make_review_response(publish="auto"))
        await harness.turn()
        assert page.kinds.count("open") == circuit_breaker.FAILURES + 3
        assert at.types.count("incident.opened") == circuit_breaker.FAILURES + 3
        # The circuit breaker has opened, so the other events weren't attempted.
        assert harness.deliveries.breakers.open_until("dead", await harness.on.redis_now())
        assert harness.deliveries.breakers.open_until("hook", await harness.on.redis_now()) == 0

    play(with_redis, body, configs=both, topics={"incidents": ("dead", "hook")})


def test_expired_events_are_dropped_and_logged(with_redis, monkeypatch):
    monkeypatch.setattr(notifications, "GIVE_UP", 0)

    async def body(harness, at, _):
        at.answers = [500]
        dropped = metrics.notifications.labels("hook", "dropped")
        before = dropped._value.get()
        await harness.on.deliver(workers.firing())
        await harness.wait_until(lambda: dropped._value.get() > before)
        await harness.turn()
        assert at.types == ["incident.opened"]
        assert await harness.on.store.redis.zcard(keys.notify("down")) == 0

    play(with_redis, body)


def test_new_notifier_receives_only_recent_events(with_redis, monkeypatch):
    async def body(harness, at, _):
        await harness.on.deliver(workers.firing())
        await harness.on.turn()
        monkeypatch.setattr(notifications, "RECENT", 0)
        await harness.deliver()
        monkeypatch.undo()
        assert at.types == []
        await harness.on.deliver(workers.resolved())
        await harness.turn()
        assert at.types == ["incident.resolved"]

    play(with_redis, body)


class TestCrashes:
    def test_next_worker_announces_after_a_crash(self, with_redis):
        """A worker dies between recording and announcing a change. The next reconciliation announces it."""

        async def body(harness, at, _):
            await harness.on.deliver(workers.firing(), response=make_review_response(publish="auto"))
            told, harness.on.reconciler._announcer = harness.on.reconciler._announcer, None
            await harness.on.turn()
            harness.on.reconciler._announcer = told
            await harness.turn()
            assert at.types == []
            await harness.on.publications.wake(["down"])
            await harness.turn()
            assert at.types == ["incident.opened", "incident.published"]

        play(with_redis, body)

    def test_unrecorded_delivery_is_repeated_with_the_same_id(self, with_redis):
        """A worker dies before it records that the receiver accepted an event. Delivery is at least once."""

        async def body(harness, at, _):
            async def dies(*_):
                raise asyncio.CancelledError

            await harness.on.deliver(workers.firing())
            await harness.on.turn()
            recorded, harness.on.notifications.record = harness.on.notifications.record, dies
            await harness.deliver()
            harness.on.notifications.record = recorded
            assert len(at.requests) == 1
            # The dead worker's lease expires.
            await harness.on.store.redis.hset(keys.notifications("down"), "until", 0)
            await harness.on.notifications.wake("down")
            await harness.deliver()
            ids = [request.headers["webhook-id"] for request in at.requests]
            assert ids[0] == ids[1]
            assert len(ids) == 3

        play(with_redis, body)

    def test_worker_that_lost_its_lease_records_nothing(self, with_redis):
        async def body(harness, at, _):
            await harness.on.deliver(workers.firing())
            await harness.on.turn()
            (stale,) = await harness.on.notifications.claim(10)
            assert await harness.on.notifications.claim(10) == []
            await harness.on.store.redis.hset(keys.notifications("down"), "until", 0)
            await harness.on.notifications.wake("down")
            (lease,) = await harness.on.notifications.claim(10)
            assert lease.fence > stale.fence
            assert not await harness.on.notifications.record(stale, {})
            assert await harness.on.notifications.release(lease, {}, 0)

        play(with_redis, body)

    def test_two_workers_announce_a_change_once(self, with_redis):
        async def body(harness, _at, _page):
            store, before = harness.on.notifications, await harness.on.notifications.read_announced("down")
            event = events.Recorded(0, 1, "down", "IR-1", events.FreezeEnded("ann"))
            after = announcements.Announced("e1")
            assert await store.announce("down", before, after, [event])
            assert await store.announce("down", before, after, [event]) is None
            assert len(await store.events("down")) == 1

        play(with_redis, body)

    def test_events_during_a_delivery_are_delivered_after_it(self, with_redis):
        async def body(harness, at, _):
            await harness.on.deliver(workers.firing())
            await harness.on.turn()
            (lease,) = await harness.on.notifications.claim(10)
            await harness.on.deliver(workers.resolved())
            await harness.on.turn()
            assert await harness.on.notifications.release(lease, {}, 0)
            await harness.deliver()
            assert at.types[-1] == "incident.resolved"

        play(with_redis, body)


@pytest.mark.parametrize("damage", ["s", "d"])
def test_damaged_documents_do_not_stop_notifications(with_redis, damage):
    async def body(harness, at, _):
        await harness.on.deliver(workers.firing())
        await harness.turn()
        await harness.on.store.redis.hset(keys.notifications("down"), damage, b"\xc1")
        await harness.on.deliver(workers.resolved())
        await harness.turn()
        assert at.types[-1] == "incident.resolved"

    play(with_redis, body)


def test_notifier_that_never_delivers_is_stopped(with_redis, monkeypatch):
    monkeypatch.setattr(notifications, "MAX_CALLS", 3)

    async def body(harness, _at, _page):
        calls = []

        async def deliver(batch):
            calls.append(batch)
            return base.Delivered(batch.events[0].sequence - 1, {})

        monkeypatch.setattr(harness.channels.notifiers["hook"], "deliver", deliver)
        await harness.on.deliver(workers.firing())
        await harness.turn()
        assert len(calls) == 3

    play(with_redis, body)
