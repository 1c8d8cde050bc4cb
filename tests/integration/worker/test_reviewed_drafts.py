"""Reviewers see DevHelm's current draft, and an approval never replaces an unseen change."""

import pytest

from router.domain.reasons import Reason
from router.simulator import server
from router.worker import reviews
from tests.integration import drafts


@pytest.fixture
def simulator():
    with server.Server() as running:
        yield running


def test_review_shows_the_current_vendor_draft(with_redis, simulator):
    async def play(desk):
        one = await desk.until_waiting(lambda one: one.at_vendor)
        assert one.at_vendor["title"] == "The shop is down"
        desk.post.title = "A colleague's title"
        one = await desk.until_waiting(lambda one: one.at_vendor["title"] == "A colleague's title")
        assert one.reason == Reason.EDITED_AT_VENDOR
        assert one.title == "The shop is down"

    drafts.run(with_redis, simulator, play)


def test_approval_of_seen_edit_publishes_rule_text(with_redis, simulator):
    async def play(desk):
        desk.post.title = "A colleague's title"
        one = await desk.until_waiting(lambda one: one.at_vendor.get("title") == "A colleague's title")
        await desk.approves(one)
        await desk.on.until(lambda: desk.post.published_at)
        assert desk.post.title == "The shop is down"

    drafts.run(with_redis, simulator, play)


def test_approval_with_edited_text_is_published(with_redis, simulator):
    async def play(desk):
        desk.post.title = "A colleague's title"
        one = await desk.until_waiting(lambda one: one.at_vendor.get("title") == "A colleague's title")
        await desk.approves(one, title="My title")
        await desk.on.until(lambda: desk.post.published_at)
        assert desk.post.title == "My title"

    drafts.run(with_redis, simulator, play)


def test_decision_on_outdated_draft_is_refused(with_redis, simulator):
    """The response has the current draft."""

    async def play(desk):
        seen = await desk.until_waiting(lambda one: one.at_vendor)
        desk.post.title = "A colleague's title"
        await desk.until_waiting(lambda one: one.at_vendor["title"] == "A colleague's title")
        with pytest.raises(reviews.ChangedError) as caught:
            await desk.approves(seen)
        assert caught.value.now.at_vendor["title"] == "A colleague's title"
        assert caught.value.now.digest[:8] != seen.digest[:8]
        assert not desk.post.published_at

    drafts.run(with_redis, simulator, play)


def test_approval_never_overwrites_an_unseen_edit(with_redis, simulator):
    """A user edits the draft between the last read and the approval. The worker finds the edit before it publishes."""

    async def play(desk):
        seen = await desk.until_waiting(lambda one: one.at_vendor)
        desk.post.updates[0].body = "A colleague's text"
        await desk.reviews.decide(seen, reviews.ReviewDecision("approved", "ada"))
        one = await desk.until_waiting(lambda one: one.at_vendor.get("message") == "A colleague's text")
        assert not desk.post.published_at
        assert one.explanation.endswith("a person has changed an update")
        await desk.approves(one)
        await desk.on.until(lambda: desk.post.published_at)

    drafts.run(with_redis, simulator, play)
