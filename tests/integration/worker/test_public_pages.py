"""Public pages: drafts are adopted, reviews wait for a decision, and nothing unintended is published."""

from router.domain import decisions
from tests.integration import vendor, workers


def make_following_page(page: vendor.Vendor, followed: vendor.Vendor) -> list:
    """A page, and the destination whose incidents cause its drafts."""
    return [
        vendor.place("followed", followed),
        vendor.place("page", page, public=True, adopts=True, follows="followed"),
    ]


def draft(page: vendor.Vendor) -> None:
    """Create the page's draft for the first incident of the destination that it follows."""
    page.incidents["draft"] = {"state": "draft", "content": None, "reference": ""}
    page.drafts["v1"] = "draft"


def test_page_publishes_the_draft_of_followed_incident(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    draft(page)
    both = workers.rule(decisions.Target("page", {"title": "Down"}, "auto"), decisions.Target("followed"))
    places = make_following_page(page, followed)

    async def play(on):
        await on.deliver(workers.firing(), response=both)
        await on.turn()
        assert page.kinds == ["adopt", "publish"]
        assert page.states() == ["open"]
        assert page.calls[0].linked_id == "v1"

    workers.run(with_redis, play, *places)


def test_draft_under_review_gets_rule_text(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    draft(page)
    both = workers.rule(decisions.Target("page", {"title": "Down"}, "review"), decisions.Target("followed"))
    places = make_following_page(page, followed)

    async def play(on):
        await on.deliver(workers.firing(), response=both)
        await on.turn()
        assert page.kinds == ["adopt", "update"]
        assert page.states() == ["draft"]
        await on.deliver(workers.resolved(), response=both)
        await on.turn()
        assert page.kinds == ["adopt", "update", "dismiss"]
        assert page.incidents == {}

    workers.run(with_redis, play, *places)


def test_page_without_draft_gets_a_post(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    both = workers.rule(decisions.Target("page", {}, "auto"), decisions.Target("followed"))
    places = make_following_page(page, followed)

    async def play(on):
        await on.deliver(workers.firing(), response=both)
        await on.turn()
        assert page.kinds == ["adopt", "open"]

    workers.run(with_redis, play, *places)


def test_refused_followed_incident_does_not_block_page(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    followed.before = [vendor.make_permanent()]
    both = workers.rule(decisions.Target("page", {}, "auto"), decisions.Target("followed"))
    places = make_following_page(page, followed)

    async def play(on):
        await on.deliver(workers.firing(), response=both)
        await on.turn()
        assert page.kinds == ["open"]

    workers.run(with_redis, play, *places)


def test_review_and_shadow_publish_nothing(with_redis):
    review, shadow = vendor.Vendor(), vendor.Vendor()
    both = workers.rule(decisions.Target("review", {}, "review"), decisions.Target("shadow", {}, "shadow"))
    places = [vendor.place("review", review, public=True), vendor.place("shadow", shadow, public=True)]

    async def play(on):
        await on.deliver(workers.firing(), response=both)
        await on.turn()
        await on.deliver(workers.resolved(), response=both)
        await on.turn()
        assert review.calls == shadow.calls == []

    workers.run(with_redis, play, *places)
