"""A page gets a limited number of updates per hour. Later ones are combined, and resolutions are never delayed."""

import asyncio

import pytest

from router.configuration import sections
from router.domain import decisions, operations, publications, reviews, severities, steps
from router.domain.reasons import Cause, Reason
from router.store import publishing_state
from router.worker import publishing_guard
from tests.integration import vendor, workers

CHANGED = Cause(Reason.CONTENT_CHANGED)
LEVELS = (severities.Severity.INFO, severities.Severity.MINOR, severities.Severity.MAJOR, severities.Severity.CRITICAL)


def make_limits(most: int, within: int = workers.HOUR) -> publishing_guard.GuardLimits:
    return publishing_guard.GuardLimits(
        publishing_state.Limit(100, workers.HOUR),
        publishing_state.Limit(100, workers.HOUR),
        updates=publishing_state.Limit(most, within),
    )


def on_page(publish: str = "auto", **fields) -> decisions.Response:
    return workers.rule(decisions.Target("page", {"title": "Down", "message": "Sorry.", **fields}, publish))


async def raise_severity(on, level: severities.Severity, key: str = "down", response=None) -> None:
    await on.deliver(workers.firing(f"{key}-{level.word}"), key=key, level=level, response=response or on_page())
    await on.turn()


def test_update_beyond_budget_gets_its_next_time(with_redis):
    async def body(store):
        most = publishing_state.Limit(2, workers.HOUR)
        assert [await store.publishing_controls.reserve_update("page", name, most) for name in ("a", "b", "a")] == [
            0,
            0,
            0,
        ]
        seconds, micros = await store.redis.time()
        until = await store.publishing_controls.reserve_update("page", "c", most)
        assert 0 < until - (seconds * 1_000_000 + micros) <= workers.HOUR
        assert await store.publishing_controls.reserve_update("other page", "c", most) == 0
        assert 0 < await store.redis.pttl("ir:{pages}:updates:page") <= workers.HOUR // 1000

    with_redis(body)


def test_update_budget_resets_after_an_hour(with_redis):
    async def body(store):
        short = publishing_state.Limit(1, 50_000)
        assert await store.publishing_controls.reserve_update("page", "a", short) == 0
        async with asyncio.timeout(5):
            while await store.publishing_controls.reserve_update("page", "b", short):
                await asyncio.sleep(0.005)

    with_redis(body)


def test_updates_beyond_budget_are_combined(with_redis):
    """The resolution is posted in any case."""
    page = vendor.Vendor()

    async def play(on):
        for level in LEVELS:
            await raise_severity(on, level)
        assert page.kinds == ["open", "update"]
        assert page.incidents["v1"]["content"].severity is severities.Severity.MINOR
        await on.deliver(*(workers.resolved(f"down-{level.word}") for level in LEVELS), response=on_page())
        await on.turn()
        assert page.kinds == ["open", "update", "resolve"]

    workers.run(with_redis, play, vendor.place("page", page, public=True), limits=make_limits(1))


def test_delayed_update_is_posted_once_possible(with_redis):
    page = vendor.Vendor()

    async def play(on):
        for level in LEVELS:
            await raise_severity(on, level)
        await on.wait_until(lambda: page.incidents["v1"]["content"].severity is severities.Severity.CRITICAL)
        assert page.kinds[:2] == ["open", "update"]

    workers.run(with_redis, play, vendor.place("page", page, public=True), limits=make_limits(1, 150_000))


def test_incidents_of_one_page_share_its_budget(with_redis):
    page = vendor.Vendor()

    async def play(on):
        for key in ("one", "two", "three"):
            response = on_page(page="Other") if key == "three" else on_page()
            for level in LEVELS[:2]:
                await raise_severity(on, level, key, response)
        said = [incident["content"].severity.word for incident in page.incidents.values()]
        assert said == ["minor", "info", "minor"]

    workers.run(with_redis, play, vendor.place("page", page, public=True), limits=make_limits(1))


def test_failed_update_is_counted_once(with_redis):
    page = vendor.Vendor()

    async def play(on):
        await raise_severity(on, LEVELS[0])
        page.before.extend([vendor.temporary(), vendor.temporary(), None])
        await raise_severity(on, LEVELS[1])
        await on.wait_until(lambda: page.incidents["v1"]["content"].severity is LEVELS[1])
        assert await on.store.redis.zcard("ir:{pages}:updates:page") == 1

    workers.run(with_redis, play, vendor.place("page", page, public=True), limits=make_limits(1))


@pytest.mark.parametrize("public", [True, False])
def test_only_customers_pages_are_counted(with_redis, public):
    page = vendor.Vendor()

    async def play(on):
        for level in LEVELS:
            await raise_severity(on, level)
        assert len(page.kinds) == (2 if public else 4)

    workers.run(with_redis, play, vendor.place("page", page, public=public), limits=make_limits(1))


def test_approved_update_ignores_the_budget(with_redis):
    async def body(store):
        at = workers.WorkerHarness(store, limits=make_limits(1)).pages
        from_rule = publications.Content(LEVELS[1], {"title": "t"})
        publication = publications.Publication("e1", "page", state="open", digest="before")
        desired = publications.Desired(True, from_rule, public=True)
        act = steps.Execute("update", CHANGED)
        assert await at.update_allowed_at(publication, desired, act) == 0
        later = publications.Publication("e1", "page", state="open", digest="before", number=1)
        assert await at.update_allowed_at(later, desired, act) > 0
        approved = reviews.Verdict("approved", "ann", 1, from_rule.digest)
        hers = publications.Desired(True, from_rule, public=True, verdict=approved)
        assert await at.update_allowed_at(later, hers, act) == 0
        assert await at.update_allowed_at(later, desired, steps.Execute("resolve", CHANGED)) == 0

    with_redis(body)


def test_vendor_update_limit_is_in_the_timeline(with_redis):
    class Tired(vendor.Vendor):
        async def update(self, call: operations.Operation) -> operations.VendorState:
            state = await super().update(call)
            return operations.VendorState(state.vendor_id, state.state, note="it is the last update")

    page = Tired()

    async def play(on):
        await raise_severity(on, LEVELS[0])
        await raise_severity(on, LEVELS[1])
        text = (await on.incidents.timeline("down"))[-1].text
        assert text.startswith("Updated at page: ")
        assert text.endswith("; it is the last update.")

    workers.run(with_redis, play, vendor.place("page", page, public=True))


def test_default_budget_is_thirty_updates_an_hour():
    assert sections.Pages().max_updates_per_hour == 30
