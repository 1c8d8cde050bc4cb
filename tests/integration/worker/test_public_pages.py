"""Public pages: drafts are adopted, reviews wait for a person, and nothing is shown that nobody meant."""

from router.domain import decision
from tests.integration import vendor, workers


def following(page: vendor.Vendor, followed: vendor.Vendor) -> list:
    """A page, and the destination whose incidents it drafts posts from."""
    return [
        vendor.place("followed", followed),
        vendor.place("page", page, public=True, adopts=True, follows="followed"),
    ]


def draft(page: vendor.Vendor) -> None:
    """The page has drafted a post by itself, for the first incident of the destination that it follows."""
    page.incidents["draft"] = {"state": "draft", "content": None, "reference": ""}
    page.drafts["v1"] = "draft"


def test_a_page_waits_for_the_incident_that_it_may_draft_from_and_publishes_the_draft(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    draft(page)
    both = workers.rule(decision.Target("page", {"title": "Down"}, "auto"), decision.Target("followed"))
    places = following(page, followed)

    async def play(on):
        await on.deliver(workers.firing(), response=both)
        await on.turn()
        assert page.kinds == ["adopt", "publish"]
        assert page.states() == ["open"]
        assert page.calls[0].linked_id == "v1"

    workers.run(with_redis, play, *places)


def test_a_draft_under_review_is_brought_to_the_rules_words_and_waits(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    draft(page)
    both = workers.rule(decision.Target("page", {"title": "Down"}, "review"), decision.Target("followed"))
    places = following(page, followed)

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


def test_a_page_without_a_draft_is_opened_by_the_router(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    both = workers.rule(decision.Target("page", {}, "auto"), decision.Target("followed"))
    places = following(page, followed)

    async def play(on):
        await on.deliver(workers.firing(), response=both)
        await on.turn()
        assert page.kinds == ["adopt", "open"]

    workers.run(with_redis, play, *places)


def test_a_page_does_not_wait_for_ever_for_an_incident_that_was_refused(with_redis):
    followed, page = vendor.Vendor(), vendor.Vendor()
    followed.before = [vendor.permanent()]
    both = workers.rule(decision.Target("page", {}, "auto"), decision.Target("followed"))
    places = following(page, followed)

    async def play(on):
        await on.deliver(workers.firing(), response=both)
        await on.turn()
        assert page.kinds == ["open"]

    workers.run(with_redis, play, *places)


def test_nothing_is_posted_to_a_public_page_that_waits_for_review_or_is_in_the_shadow(with_redis):
    review, shadow = vendor.Vendor(), vendor.Vendor()
    both = workers.rule(decision.Target("review", {}, "review"), decision.Target("shadow", {}, "shadow"))
    places = [vendor.place("review", review, public=True), vendor.place("shadow", shadow, public=True)]

    async def play(on):
        await on.deliver(workers.firing(), response=both)
        await on.turn()
        await on.deliver(workers.resolved(), response=both)
        await on.turn()
        assert review.calls == shadow.calls == []

    workers.run(with_redis, play, *places)
