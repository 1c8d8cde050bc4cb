"""The router publishes the page's own draft, and leaves a manually linked post alone."""

import pytest

from router.simulator import server
from tests.integration import drafts, workers


@pytest.fixture
def simulator():
    with server.Server() as running:
        yield running


def is_unchanged(post):
    return (post.title, post.impact, post.updates[0].body) == ("A colleague's title", "MINOR", "By hand.")


@pytest.mark.parametrize("draft", [True, False])
def test_linked_post_of_person_needs_review(with_redis, simulator, draft):
    """The post was linked after the router's search. An approval of the rule's text doesn't cover the post."""

    async def play(scene):
        review = await scene.wait_for_review()
        scene.create_linked_post(draft=draft)
        await scene.approve(review)
        one = await scene.wait_for_review(lambda one: one.at_vendor)
        assert "a person has linked this post" in one.explanation
        assert one.at_vendor["title"] == "A colleague's title"
        assert is_unchanged(scene.post)
        assert bool(scene.post.published_at) is not draft

    drafts.run(with_redis, simulator, play, page="Acme")


@pytest.mark.parametrize("draft", [True, False])
def test_approval_replaces_the_linked_post_seen(with_redis, simulator, draft):
    async def play(scene):
        review = await scene.wait_for_review()
        scene.create_linked_post(draft=draft)
        await scene.approve(review)
        await scene.approve(await scene.wait_for_review(lambda one: one.at_vendor))
        await scene.on.wait_until(lambda: scene.post.title == "The shop is down")
        assert scene.post.published_at

    drafts.run(with_redis, simulator, play, page="Acme")


@pytest.mark.parametrize("way", ["dismissed", "over"])
def test_linked_draft_of_a_person_is_never_dismissed(with_redis, simulator, way):
    async def play(scene):
        review = await scene.wait_for_review()
        scene.create_linked_post(draft=True)
        await scene.approve(review)
        one = await scene.wait_for_review(lambda one: one.at_vendor)
        if way == "dismissed":
            await scene.dismiss(one)
        else:
            await scene.on.deliver(workers.resolved(), response=drafts.rule())

        async def settled():
            return (await scene.publication()).state != "draft"

        await scene.on.wait_until_async(settled)
        assert (await scene.publication()).state == "dismissed"
        assert is_unchanged(scene.post)
        assert not scene.post.published_at

    drafts.run(with_redis, simulator, play, page="Acme")


def test_automatic_rule_publishes_no_draft_of_a_person(with_redis, simulator):
    """The user's draft exists before the router's search, and the router posts nothing else."""

    async def play(scene):
        await scene.wait_for_review(lambda one: one.at_vendor)
        assert is_unchanged(scene.post)
        assert not scene.post.published_at

    def linking(page, incident):
        scene = drafts.DraftHarness.__new__(drafts.DraftHarness)
        scene.state, scene.page = state, page
        scene.create_linked_post(draft=True)

    state = simulator.app.state.vendors["devhelm"]._state
    state._post_by_itself = linking  # The page "Acme EU" creates no drafts, so the draft of a user comes first.
    auto = drafts.rule("auto")
    for page in state.pages.values():
        page.mode = "REVIEW" if page.name == "Acme EU" else "MANUAL"
    drafts.run(with_redis, simulator, play, response=auto)


def test_page_draft_precedes_draft_of_person(with_redis, simulator):
    async def play(scene):
        review = await scene.wait_for_review()
        scene.create_linked_post(draft=True)
        own = next(post for post in scene.page.posts.values() if post.by_itself)
        await scene.approve(review)
        await scene.on.wait_until(lambda: own.published_at)
        (other,) = [post for post in scene.page.posts.values() if post is not own]
        assert is_unchanged(other)
        assert not other.published_at

    drafts.run(with_redis, simulator, play)
