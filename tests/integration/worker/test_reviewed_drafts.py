"""Reviewers see DevHelm's current draft, and an approval never replaces an unseen change."""

import pytest

from router.domain.reasons import Reason
from router.simulator import server
from router.store import keys
from router.worker import reviews
from tests.integration import drafts


@pytest.fixture
def simulator():
    with server.Server() as running:
        yield running


def test_review_shows_the_current_vendor_draft(with_redis, simulator):
    async def play(scene):
        one = await scene.wait_for_review(lambda one: one.at_vendor)
        assert one.at_vendor["title"] == "The shop is down"
        scene.post.title = "A colleague's title"
        one = await scene.wait_for_review(lambda one: one.at_vendor["title"] == "A colleague's title")
        assert one.reason == Reason.EDITED_AT_VENDOR
        assert one.title == "The shop is down"

    drafts.run(with_redis, simulator, play)


def test_approval_of_seen_edit_publishes_rule_text(with_redis, simulator):
    async def play(scene):
        scene.post.title = "A colleague's title"
        one = await scene.wait_for_review(lambda one: one.at_vendor.get("title") == "A colleague's title")
        await scene.approve(one)
        await scene.on.wait_until(lambda: scene.post.published_at)
        assert scene.post.title == "The shop is down"

    drafts.run(with_redis, simulator, play)


def test_approval_with_edited_text_is_published(with_redis, simulator):
    async def play(scene):
        scene.post.title = "A colleague's title"
        one = await scene.wait_for_review(lambda one: one.at_vendor.get("title") == "A colleague's title")
        await scene.approve(one, title="My title")
        await scene.on.wait_until(lambda: scene.post.published_at)
        assert scene.post.title == "My title"

    drafts.run(with_redis, simulator, play)


def test_decision_on_outdated_draft_is_refused(with_redis, simulator):
    """The response has the current draft."""

    async def play(scene):
        review = await scene.wait_for_review(lambda one: one.at_vendor)
        scene.post.title = "A colleague's title"
        await scene.wait_for_review(lambda one: one.at_vendor["title"] == "A colleague's title")
        with pytest.raises(reviews.ReviewChangedError) as caught:
            await scene.approve(review)
        assert caught.value.now.at_vendor["title"] == "A colleague's title"
        assert caught.value.now.digest[:8] != review.digest[:8]
        assert not scene.post.published_at

    drafts.run(with_redis, simulator, play)


def test_approval_never_overwrites_an_unseen_edit(with_redis, simulator):
    """A user edits the draft between the last read and the approval. The worker finds the edit before it publishes."""

    async def play(scene):
        review = await scene.wait_for_review(lambda one: one.at_vendor)
        scene.post.updates[0].body = "A colleague's text"
        await scene.reviews.decide(review, reviews.ReviewDecision("approved", "ada"))
        one = await scene.wait_for_review(lambda one: one.at_vendor.get("message") == "A colleague's text")
        assert not scene.post.published_at
        assert one.explanation.endswith("a person has changed an update")
        await scene.approve(one)
        await scene.on.wait_until(lambda: scene.post.published_at)

    drafts.run(with_redis, simulator, play)


def test_draft_affects_no_component_of_other_posts(with_redis, simulator):
    """Customers don't see a draft, so other posts on the page must not show its statuses."""

    async def play(scene):
        seen = await scene.wait_for_review(lambda one: one.at_vendor.get("title") == "The shop is down")
        assert not await scene.on.store.redis.exists(keys.components("page"))
        await scene.approve(seen)
        await scene.on.wait_until(lambda: scene.post.published_at)
        assert await scene.on.store.redis.exists(keys.components("page"))

    page = next(page for page in simulator.app.state.vendors["devhelm"].state()["pages"] if page["name"] == "Acme EU")
    component = next(iter(page["components"]))
    drafts.run(with_redis, simulator, play, response=drafts.rule(components={component: "major_outage"}))
