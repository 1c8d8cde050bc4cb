"""Reviewers see a draft as it is at DevHelm, and an approval replaces no change that the reviewer has not seen."""

import asyncio

import pytest

from router.assembly import parts
from router.destinations import registry
from router.domain import decision
from router.simulator import server
from router.store import gate
from router.worker import bound, pages, reviews
from tests.integration import stage

LIMITS = pages.Limits(gate.Limit(100, stage.HOUR), gate.Limit(100, stage.HOUR), looks=300_000)
TARGETS = (
    decision.Target("devhelm", {"title": "The shop"}),
    decision.Target("page", {"title": "The shop is down", "message": "Sorry."}, "review"),
)
RULE = stage.rule(*TARGETS)


@pytest.fixture
def simulator():
    with server.Server() as running:
        yield running


class Desk:
    """A worker, DevHelm with a page that drafts by itself, a colleague there, and a reviewer here."""

    def __init__(self, on, simulator, places):
        self.on = on
        vendor = simulator.app.state.vendors["devhelm"]
        self._page = next(page for page in vendor._state.pages.values() if page.name == "Acme EU")
        by_name = {place.name: place for place in places}
        self.reviews = reviews.Reviews(on.publications, on.incidents, on.pages, by_name, parts.clock)

    @property
    def post(self):
        (post,) = self._page.posts.values()
        return post

    async def waiting(self):
        found = await self.reviews.waiting()
        return found[0] if found else None

    async def until_waiting(self, met):
        async def right():
            one = await self.waiting()
            return one is not None and met(one)

        await self.on.until_awaited(right)
        return await self.waiting()

    async def approves(self, seen, **fields):
        await self.reviews.decide(seen, reviews.Word("approved", "ada", fields=fields))
        await self.on.turn()


def playing(with_redis, simulator, play):
    async def body(connection):
        places = []
        for name, kind, more in (
            ("devhelm", "devhelm", {}),
            ("page", "devhelm-status-page", {"page": "Acme EU", "follows": "devhelm"}),
        ):
            given = {"kind": kind, "api_key": "any", "base_url": f"{simulator.url}/devhelm", **more}
            destination = registry.build(name, registry.KINDS[kind].config(**given), parts.clock)
            places.append(bound.Bound(name, registry.KINDS[kind], destination, more.get("follows", "")))
        on = stage.Stage(connection, *places, limits=LIMITS, render=lambda fields, _: dict(fields))
        try:
            await on.deliver(stage.firing(), response=RULE)
            await on.turn()
            await play(Desk(on, simulator, places))
        finally:
            await asyncio.gather(*(place.destination.aclose() for place in places))

    with_redis(body)


def test_review_shows_the_draft_as_it_is_at_the_vendor(with_redis, simulator):
    async def play(desk):
        one = await desk.until_waiting(lambda one: one.at_vendor)
        assert one.at_vendor["title"] == "The shop is down"
        desk.post.title = "A colleague's title"
        one = await desk.until_waiting(lambda one: one.at_vendor["title"] == "A colleague's title")
        assert "a person has changed the title" in one.reason
        assert one.title == "The shop is down"

    playing(with_redis, simulator, play)


def test_approval_of_a_seen_edit_publishes_the_rule_s_words(with_redis, simulator):
    async def play(desk):
        desk.post.title = "A colleague's title"
        one = await desk.until_waiting(lambda one: one.at_vendor.get("title") == "A colleague's title")
        await desk.approves(one)
        await desk.on.until(lambda: desk.post.published_at)
        assert desk.post.title == "The shop is down"

    playing(with_redis, simulator, play)


def test_approval_with_own_words_after_a_seen_edit_is_published(with_redis, simulator):
    async def play(desk):
        desk.post.title = "A colleague's title"
        one = await desk.until_waiting(lambda one: one.at_vendor.get("title") == "A colleague's title")
        await desk.approves(one, title="My title")
        await desk.on.until(lambda: desk.post.published_at)
        assert desk.post.title == "My title"

    playing(with_redis, simulator, play)


def test_decision_on_an_outdated_draft_is_refused_with_what_is_there_now(with_redis, simulator):
    async def play(desk):
        seen = await desk.until_waiting(lambda one: one.at_vendor)
        desk.post.title = "A colleague's title"
        await desk.until_waiting(lambda one: one.at_vendor["title"] == "A colleague's title")
        with pytest.raises(reviews.ChangedError) as caught:
            await desk.approves(seen)
        assert caught.value.now.at_vendor["title"] == "A colleague's title"
        assert caught.value.now.digest[:8] != seen.digest[:8]
        assert not desk.post.published_at

    playing(with_redis, simulator, play)


def test_approval_never_overwrites_an_edit_that_nobody_has_seen(with_redis, simulator):
    """The colleague edits between the last look and the approval: the worker finds it before it publishes."""

    async def play(desk):
        seen = await desk.until_waiting(lambda one: one.at_vendor)
        desk.post.updates[0].body = "A colleague's text"
        await desk.reviews.decide(seen, reviews.Word("approved", "ada"))
        one = await desk.until_waiting(lambda one: one.at_vendor.get("message") == "A colleague's text")
        assert not desk.post.published_at
        assert "a person has changed an update" in one.reason
        await desk.approves(one)
        await desk.on.until(lambda: desk.post.published_at)

    playing(with_redis, simulator, play)
