"""A rule keeps fields of the page's draft: reviewers see the fields, and they are published unchanged."""

import pytest

from router.domain import severities
from router.simulator import server
from router.simulator.devhelm.state import State
from tests.integration import drafts, workers

ALL = ["title", "impact", "message", "components"]


@pytest.fixture
def simulator():
    with server.Server() as running:
        yield running


@pytest.fixture
def draft(simulator, monkeypatch):
    """Create a draft of the page, with its own text and a component."""
    make = State._post_by_itself

    def post_by_itself(state, page, incident):
        make(state, page, incident)
        (post,) = page.posts.values()
        post.title, post.impact, post.updates[0].body = "Checks fail in Zurich", "MINOR", "Drafted text."
        post.affected = {page.components[3].id: "PARTIAL_OUTAGE"}

    monkeypatch.setattr(State, "_post_by_itself", post_by_itself)
    return simulator


def get_published_body(simulator):
    (body,) = [call.body for call in simulator.app.state.calls.all if call.path.endswith("/publish")]
    return body


def test_kept_fields_are_reviewed_and_published_unchanged(with_redis, draft):
    async def play(scene):
        one = await scene.wait_for_review(lambda one: one.at_vendor)
        assert (one.title, one.message, one.shown["impact"]) == ("Checks fail in Zurich", "Drafted text.", "MINOR")
        assert one.components == {"Search": "partial outage"}
        await scene.approve(one)
        await scene.on.wait_until(lambda: scene.post.published_at)
        sent = get_published_body(draft)
        assert (sent["title"], sent["impact"]) == ("Checks fail in Zurich", "MINOR")
        assert sent["body"].startswith("Drafted text.\n\nReference: IR-")
        assert [component["status"] for component in sent["affectedComponents"]] == ["PARTIAL_OUTAGE"]
        puts = [call.body for call in draft.app.state.calls.all if call.method == "PUT"]
        assert all(not body.keys() & {"title", "impact", "affectedComponents"} for body in puts)

    drafts.run(with_redis, draft, play, response=drafts.rule(keep_draft=ALL, components=["Payments"]))


def test_reference_of_the_incident_is_not_kept(with_redis, simulator):
    """The page drafts a post with the incident's title, which the router has prefixed with the reference."""

    async def play(scene):
        await scene.on.wait_until(lambda: scene.post.published_at)
        sent = get_published_body(simulator)
        assert sent["title"] == "The shop"
        assert sent["body"].startswith("The shop\n\nReference: IR-")

    drafts.run(with_redis, simulator, play, response=drafts.rule("auto", keep_draft=["title", "message"]))


@pytest.mark.parametrize("kept", ALL)
def test_other_fields_come_from_the_rule(with_redis, draft, kept):
    async def play(scene):
        await scene.on.wait_until(lambda: scene.post.published_at)
        sent = get_published_body(draft)
        (component,) = sent["affectedComponents"]
        names = {one.id: one.name for one in scene.page.components}
        shown = {
            "title": sent["title"] == "Checks fail in Zurich",
            "impact": sent["impact"] == "MINOR",
            "message": sent["body"].startswith("Drafted text."),
            "components": names[component["componentId"]] == "Search",
        }
        assert shown == {name: name == kept for name in ALL}

    response = drafts.rule("auto", keep_draft=[kept], components=["Payments"])
    drafts.run(with_redis, draft, play, response=response)


def test_kept_fields_stay_through_updates_and_the_resolution(with_redis, draft):
    response = drafts.rule("auto", keep_draft=ALL)

    async def play(scene):
        await scene.on.wait_until(lambda: scene.post.published_at)
        await scene.on.deliver(workers.firing(), response=response, level=severities.Severity.CRITICAL)
        await scene.on.turn()
        assert (scene.post.title, scene.post.impact) == ("Checks fail in Zurich", "MINOR")
        await scene.on.deliver(workers.resolved(), response=response)
        await scene.on.wait_until(lambda: scene.post.resolved_at)
        assert scene.post.title == "Checks fail in Zurich"
        assert set(scene.post.affected.values()) == {"OPERATIONAL"}

    drafts.run(with_redis, draft, play, response=response)


def test_edited_kept_field_needs_review(with_redis, draft):
    async def play(scene):
        review = await scene.wait_for_review(lambda one: one.at_vendor)
        scene.post.title = "A colleague's title"
        await scene.approve(review)
        one = await scene.wait_for_review(lambda one: one.title == "A colleague's title")
        assert not scene.post.published_at
        await scene.approve(one)
        await scene.on.wait_until(lambda: scene.post.published_at)
        assert get_published_body(draft)["title"] == "A colleague's title"

    drafts.run(with_redis, draft, play, response=drafts.rule(keep_draft=ALL))


def test_kept_text_with_host_name_needs_review(with_redis, draft):
    """The rule publishes automatically, but the text is the page's draft, not the rule's."""
    response = drafts.rule("auto", keep_draft=["title"])

    async def play(scene):
        one = await scene.wait_for_review()
        assert "the draft has" in one.explanation
        assert not scene.post.published_at

    make = State._post_by_itself

    def with_host(state, page, incident):
        make(state, page, incident)
        next(iter(page.posts.values())).title = "db-17.prod.example.com is down"

    State._post_by_itself, before = with_host, make
    try:
        drafts.run(with_redis, draft, play, response=response)
    finally:
        State._post_by_itself = before


def test_late_draft_with_kept_fields_is_not_overwritten(with_redis, simulator):
    """The draft appears after the router has searched for one. It is reviewed unchanged before it is published."""

    async def play(scene):
        review = await scene.wait_for_review()
        (incident,) = scene.state.incidents.values()
        scene.state._post_by_itself(scene.page, incident)
        scene.post.title = "Drafted late"
        await scene.approve(review)
        one = await scene.wait_for_review(lambda one: one.title == "Drafted late")
        assert not scene.post.published_at
        await scene.approve(one)
        await scene.on.wait_until(lambda: scene.post.published_at)
        assert scene.post.title == "Drafted late"

    drafts.run(with_redis, simulator, play, page="Acme", response=drafts.rule(keep_draft=["title"]))
