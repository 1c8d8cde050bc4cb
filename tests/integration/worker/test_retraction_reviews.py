"""Retractions of posts that outlived their episode, and of posts whose opening is retried."""

import pytest

from router.domain import decisions
from router.services import presenters
from router.worker import reviews
from tests.end_to_end import harness
from tests.integration import vendors
from tests.integration.worker import test_retractions


@pytest.fixture
def at():
    with harness.vendors() as simulated:
        yield simulated


@test_retractions.each_kind
def test_retraction_review_is_decided_in_the_next_episode(with_redis, at, kind):
    """The post waited for a reviewer to resolve it, and continues in the next episode."""

    async def play(page):
        await page.fire()
        await page.end_alert()
        await page.fire(starts_at=1_000)
        page.person("PUT", {"name": "Cards fail", "title": "Cards fail"})
        await page.retracts()
        (seen,) = [one for one in await page.reviews().of_incident("down") if one.what == "retraction"]
        await page.reviews().decide(seen, reviews.ReviewDecision("approved", "bob"))
        await page.on.turn()
        assert page.is_down()

    test_retractions.run_scene(with_redis, at, kind, play, {"ending": decisions.Ending(review=True)})


@test_retractions.each_kind
def test_retraction_of_an_earlier_episode_can_be_decided(with_redis, at, kind):
    """The earlier post has a manual change, so the vendor keeps it in addition to the post of the new episode."""

    async def play(page):
        await page.fire()
        page.person("PUT", {"name": "Cards fail", "title": "Cards fail"})
        await page.end_alert()
        await page.fire(starts_at=1_000)
        assert len(page.posts()) == 2
        page.person("PUT", {"name": "All fails", "title": "All fails"})
        await page.retracts()
        assert not page.is_down(2), "the second change was not seen by the operator"
        (review,) = await page.reviews().waiting()
        assert review.what == "retraction"
        await page.reviews().decide(review, reviews.ReviewDecision("approved", "bob"))
        await page.on.turn()
        assert page.is_down(2)

    test_retractions.run_scene(with_redis, at, kind, play)


@test_retractions.each_kind
def test_retraction_ends_the_retries_of_an_opening(with_redis, at, kind):
    """The vendor rate-limited the opening. After the retraction, the opening isn't retried."""

    async def play(page):
        at.fault(vendor=vendors.VENDORS[kind], method="POST", action="429", retry_after=600, count=1)
        await page.fire()
        publications = await page.on.publications.look("down")
        assert presenters.problems(await page.on.incident(), publications, is_awaited=False) == ["retrying"]
        assert await page.retracts() == ["withheld"]
        (one,) = await page.on.publications.look("down")
        assert (one.problem, one.condition, one.retry_at) == ("", "", 0)
        assert presenters.problems(await page.on.incident(), [one], is_awaited=False) == []
        assert page.posts() == []

    test_retractions.run_scene(with_redis, at, kind, play)
