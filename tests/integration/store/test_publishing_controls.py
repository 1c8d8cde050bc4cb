"""The publishing freeze and the publishing guard, on a real server."""

import asyncio

import pytest

from router.domain import alerts, decisions, plan, severities
from router.store import keys, publishing_state
from router.worker import desired_state, lease_session, not_found, publishing_guard
from tests.integration import public_pages, vendor, workers

CRITICAL = severities.Severity.CRITICAL
FEW = publishing_guard.GuardLimits(publishing_state.Limit(2, workers.HOUR), publishing_state.Limit(3, workers.HOUR))


def automatic(*, components=(), **more) -> decisions.Response:
    fields = {"title": "Down", "message": "Sorry.", "components": list(components)}
    return workers.rule(decisions.Target("on-call", {"name": "Down"}), decisions.Target("page", fields, "auto", **more))


def test_frozen_posts_are_published_after_unfreezing(with_redis):
    async def play(on, page, pager):
        assert await on.store.publishing_controls.freeze("ann", 1, "all hands")
        assert not await on.store.publishing_controls.freeze("bob", 2, "")
        await on.deliver(workers.firing(), response=automatic())
        await on.turn()
        assert (page.kinds, pager.kinds) == ([], ["open"])
        assert str((await on.store.publishing_controls.read()).frozen) == "all hands (ann)"
        assert await on.store.publishing_controls.unfreeze()
        assert not await on.store.publishing_controls.unfreeze()
        assert await on.publications.wake_all() == 1
        await on.turn()
        assert page.kinds == ["open"]

    public_pages.run(with_redis, play)


def test_concurrent_unfreeze_is_not_missed(with_redis, monkeypatch):
    async def play(on, page, _pager):
        await on.store.publishing_controls.freeze("ann", 1, "")
        seen = on.pages.desires

        async def thawed_meanwhile(**of):
            found = await seen(**of)
            if await on.store.publishing_controls.unfreeze():
                await on.publications.wake_all()
            return found

        monkeypatch.setattr(on.pages, "desires", thawed_meanwhile)
        await on.deliver(workers.firing(), response=automatic())
        await on.turn()
        assert page.kinds == ["open"]
        assert await on.due() == []

    public_pages.run(with_redis, play)


@pytest.mark.parametrize("after", ["open", "resolve"])
def test_freeze_stops_a_step_planned_before_it(with_redis, monkeypatch, after):
    """An earlier operation of the incident may be slow. A public operation must not begin after the freeze."""

    async def play(on, page, _pager):
        if after == "resolve":
            await on.deliver(workers.firing(), response=automatic())
            await on.turn()
        seen = on.pages.desires

        async def frozen_meanwhile(**of):
            found = await seen(**of)
            await on.store.publishing_controls.freeze("ann", 1, "")
            return found

        monkeypatch.setattr(on.pages, "desires", frozen_meanwhile)
        monkeypatch.setattr(lease_session, "FRESH", 0)  # Simulates a slower operation.
        await on.deliver(workers.resolved() if after == "resolve" else workers.firing(), response=automatic())
        await on.turn()
        assert after not in page.kinds
        await on.store.publishing_controls.unfreeze()
        monkeypatch.setattr(on.pages, "desires", seen)
        await on.publications.wake_all()
        await on.turn()
        assert page.kinds[-1] == after

    public_pages.run(with_redis, play)


def test_incident_resolved_during_slow_operation_is_not_published(with_redis, monkeypatch):
    async def play(on, page, pager):
        seen = on.pages.desires

        async def over_meanwhile(**of):
            found = await seen(**of)
            await on.deliver(workers.resolved(), response=automatic())
            await on.fold()
            return found

        monkeypatch.setattr(on.pages, "desires", over_meanwhile)
        monkeypatch.setattr(lease_session, "FRESH", 0)
        await on.deliver(workers.firing(), response=automatic())
        await on.turn()
        assert (page.kinds, pager.kinds) == ([], ["open", "resolve"])

    public_pages.run(with_redis, play)


def test_unannounced_unfreeze_is_found_by_recheck(with_redis):
    async def play(on, page, _pager):
        await on.store.publishing_controls.freeze("ann", 1, "")
        target = decisions.Target("page", {"title": "Down", "message": "Sorry."}, "auto")
        await on.deliver(workers.firing(), response=workers.rule(target))
        await on.turn()
        due = await on.store.redis.zscore(keys.timers(keys.shard("down")), "down")
        assert 0 < due - on.redis_time() <= plan.HELD_RECHECK_INTERVAL
        assert page.kinds == []

    public_pages.run(with_redis, play)


def test_open_posts_stay_unchanged_while_frozen(with_redis):
    """Resolutions wait as well."""

    async def play(on, page, pager):
        await on.deliver(workers.firing(), response=automatic())
        await on.turn()
        await on.store.publishing_controls.freeze("ann", 1, "")
        await on.deliver(workers.firing("f2"), level=CRITICAL, response=automatic())
        await on.deliver(workers.resolved(), workers.resolved("f2"), response=automatic())
        await on.turn()
        assert (page.kinds, pager.states()) == (["open"], ["resolved"])
        await on.store.publishing_controls.unfreeze()
        await on.publications.wake_all()
        await on.turn()
        assert page.states() == ["resolved"]

    public_pages.run(with_redis, play)


def test_post_beyond_the_limit_trips_the_guard(with_redis):
    async def play(on, page, pager):
        for number in range(5):
            await on.deliver(workers.firing(f"f{number}"), key=f"k{number}", response=automatic())
        await on.turn()
        assert page.states() == ["open", "open"]
        assert pager.states() == ["open"] * 5
        state = await on.store.publishing_controls.read()
        assert "more than 2 posts" in state.tripped.why
        await on.deliver(*(workers.resolved(f"f{number}") for number in range(2)), key="k0", response=automatic())
        assert (await on.store.review_outcomes.read())["down"] == {"automatic": 2}
        assert await on.store.publishing_controls.reset()
        assert (await on.store.publishing_controls.read()).tripped is None

    public_pages.run(with_redis, play, limits=FEW)


def test_too_many_components_trip_the_guard(with_redis):
    async def play(on, page, _):
        await on.deliver(workers.firing(), response=automatic(components=["a", "b", "c", "d"]))
        await on.turn()
        assert page.calls == []

    public_pages.run(with_redis, play, limits=FEW)


def test_retried_post_counts_once_for_the_guard(with_redis):
    async def play(on, page, _):
        page.before += [vendor.temporary(0.001)] * 4
        await on.deliver(workers.firing(), response=automatic(components=["a", "b"]))
        await on.wait_until(lambda: page.states() == ["open"])
        assert (await on.store.publishing_controls.read()).tripped is None

    public_pages.run(with_redis, play, limits=FEW)


def test_concurrent_workers_share_the_guard_limit(with_redis):
    async def body(store):
        limits = (publishing_state.Limit(3, workers.HOUR), publishing_state.Limit(100, workers.HOUR))
        passed = await asyncio.gather(
            *(store.publishing_controls.count_auto_post(f"page/{number}", [], *limits) for number in range(20))
        )
        assert sum(passed) == 3

    with_redis(body)


def test_tripped_guard_does_not_delay_a_resolution(with_redis):
    async def play(on, page, _):
        await on.deliver(workers.firing(), response=automatic())
        await on.turn()
        await on.store.publishing_controls.trip(1, "too many")
        await on.deliver(workers.resolved(), response=automatic())
        await on.turn()
        assert page.states() == ["resolved"]

    public_pages.run(with_redis, play)


def test_test_alert_is_never_published_automatically(with_redis):
    tried = alerts.Alert("am", "t", "firing", 1, 0, title="try", labels={"test": "true"})

    async def play(on, page, pager):
        await on.deliver(tried, response=automatic())
        await on.turn()
        assert (page.kinds, pager.kinds) == ([], ["open"])

    public_pages.run(with_redis, play)


def test_leaking_text_uses_the_fallback(with_redis):
    def render(fields, _, __):
        return dict(fields), "an IP address" if "10.0.0.1" in fields["title"] else ""

    leaky = decisions.Target("page", {"title": "10.0.0.1", "message": "x"}, "auto", fallback={"title": "An outage"})

    async def play(on, page, _):
        on.pages._desires = desired_state.DesiredStateBuilder(lambda fields, _: dict(fields), render)
        await on.deliver(workers.firing(), response=workers.rule(leaky))
        await on.turn()
        assert page.incidents["v1"]["content"].fields["title"] == "An outage"
        text = (await on.incidents.timeline("down"))[-1].text
        assert "fallback replaces a text with an IP address" in text

    public_pages.run(with_redis, play)


def test_frequent_updates_are_combined(with_redis):
    apart = publishing_guard.GuardLimits(
        publishing_state.Limit(9, workers.HOUR), publishing_state.Limit(9, workers.HOUR), min_update_interval=2_000_000
    )

    async def play(on, page, pager):
        await on.deliver(workers.firing(), response=automatic())
        await on.turn()
        for number, level in enumerate((severities.Severity.CRITICAL, severities.Severity.CRITICAL)):
            await on.deliver(workers.firing(f"g{number}"), level=level, response=automatic())
            await on.turn()
        assert (page.kinds, pager.kinds) == (["open"], ["open", "update"])
        await on.wait_until(lambda: page.kinds == ["open", "update"])

    public_pages.run(with_redis, play, limits=apart)


def test_resolution_by_a_person_is_detected(with_redis, monkeypatch):
    monkeypatch.setattr(not_found, "PROOF", 20_000)
    monkeypatch.setattr(plan, "MAX_MISSING_INTERVAL", 5_000)
    looking = publishing_guard.GuardLimits(
        publishing_state.Limit(9, workers.HOUR), publishing_state.Limit(9, workers.HOUR), observe_interval=50_000
    )

    async def play(on, page, pager):
        await on.deliver(workers.firing(), response=automatic())
        await on.turn()
        page.incidents["v1"]["state"] = "resolved"
        pager.incidents.clear()

        async def observation_texts():
            texts = [event.text for event in await on.incidents.timeline("down")]
            return [text for text in texts if "by a person" in text or text.startswith("Not found")]

        async def both():
            return len(await observation_texts()) == 2

        await on.wait_until_async(both)
        resolved, missed = sorted(await observation_texts())
        assert resolved == "It was resolved at page by a person. The router does not change it back."
        assert missed.startswith("Not found at on-call")
        await on.deliver(workers.firing("f2"), level=CRITICAL, response=automatic())
        await on.turn()
        assert (page.kinds, pager.kinds) == (["open"], ["open"])

    public_pages.run(with_redis, play, limits=looking)
