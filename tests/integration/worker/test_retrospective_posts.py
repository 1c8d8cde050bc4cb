"""An incident that closed before it was published is published afterwards, if its rule allows it."""

import pytest

from router.domain import decisions, severities
from router.services import presenters
from router.worker import retractions, reviews
from tests.end_to_end import harness
from tests.integration import vendors, workers

KIND = "incident-io-status-page"


@pytest.fixture
def at():
    with harness.vendors() as simulated:
        yield simulated


class Page:
    """A post that may be published after its incident has closed, its alert, and a reviewer."""

    def __init__(self, scene, store, publish, **more):
        self.scene, self.on, self.store = scene, scene.on, store
        target = decisions.Target(vendors.NAME, vendors.FIELDS[KIND], publish, retrospective=True, **more)
        self.rule = workers.rule(target)
        self.places = {vendors.NAME: scene.place}

    async def deliver_alerts(self, *alerts):
        for alert in alerts:
            await self.on.deliver(alert, level=severities.Severity.MAJOR, response=self.rule)
            await self.on.fold()
        await self.on.turn()

    async def fire_and_resolve(self):
        await self.deliver_alerts(workers.firing())
        await self.deliver_alerts(workers.resolved())

    def reviews(self):
        return reviews.Reviews(self.on.store, self.on.pages, self.places, self.on.redis_time)

    async def decide_review(self, kind, **fields):
        (review,) = await self.reviews().waiting()
        await self.reviews().decide(review, reviews.ReviewDecision(kind, "ann", fields=fields))
        await self.on.turn()

    async def problems(self):
        """Return the problems of the incident in the list of incidents."""
        publications = await self.on.publications.look("down")
        return presenters.problems(await self.on.incident(), publications, is_awaited=False)

    def posts(self):
        return self.scene.at.state()["incident-io"]["status_page_incidents"]

    def statuses(self):
        return [[update["incident_status"] for update in post["updates"]] for post in self.posts()]


def run_scene(with_redis, at, play, publish="review", **more):
    async def body(store):
        async with vendors.run_harness(store, at, KIND) as scene:
            await play(Page(scene, store, publish, **more))

    with_redis(body)


OVER = [["investigating", "resolved"]]


def test_undecided_review_becomes_a_retrospective_review(with_redis, at):
    async def play(page):
        await page.deliver_alerts(workers.firing())
        (live,) = await page.reviews().waiting()
        assert live.what == "opening"
        await page.deliver_alerts(workers.resolved())
        (review,) = await page.reviews().waiting()
        assert (review.what, review.digest == live.digest) == ("retrospective", False)
        assert 0 < review.began_at <= review.ended_at
        assert list(review.later) == ["resolution"]
        assert review.deadline_at > 0
        assert page.posts() == []
        await page.decide_review("approved", message="Payments failed.")
        assert page.statuses() == OVER
        assert page.posts()[0]["updates"][0]["message"] == "Payments failed."
        told = [event.text for event in await page.on.incidents.timeline("down")]
        assert any(text.startswith("Published a retrospective incident at there (started ") for text in told)
        assert await page.reviews().waiting() == []

    run_scene(with_redis, at, play)


def test_dismissed_retrospective_incident_is_not_published(with_redis, at):
    async def play(page):
        await page.fire_and_resolve()
        await page.decide_review("dismissed")
        assert await page.reviews().waiting() == []
        assert page.posts() == []

    run_scene(with_redis, at, play)


def test_dismissal_also_covers_the_retrospective_incident(with_redis, at):
    async def play(page):
        await page.deliver_alerts(workers.firing())
        await page.decide_review("dismissed")
        await page.deliver_alerts(workers.resolved())
        assert await page.reviews().waiting() == []
        assert page.posts() == []

    run_scene(with_redis, at, play)


def test_live_approval_does_not_cover_retrospective_post(with_redis, at):
    """The post was approved during a publishing freeze, and its incident closed before the freeze ended."""

    async def play(page):
        await page.store.publishing_controls.freeze("bob", 1, "all hands")
        await page.deliver_alerts(workers.firing())
        await page.decide_review("approved")
        await page.deliver_alerts(workers.resolved())
        await page.store.publishing_controls.unfreeze()
        await page.on.publications.wake_all()
        await page.on.turn()
        assert page.posts() == []
        (review,) = await page.reviews().waiting()
        assert review.what == "retrospective"

    run_scene(with_redis, at, play)


def test_automatic_rule_publishes_retrospective_post(with_redis, at):
    async def play(page):
        await page.deliver_alerts(workers.firing(), workers.resolved())
        assert page.statuses() == OVER
        await page.deliver_alerts(workers.firing(starts_at=1_000))
        assert page.statuses() == [*OVER, ["investigating"]]
        await page.deliver_alerts(workers.resolved(starts_at=1_000))
        assert page.statuses() == OVER * 2

    run_scene(with_redis, at, play, "auto")


def test_frozen_page_gets_retrospective_incident_after_unfreezing(with_redis, at):
    async def play(page):
        await page.store.publishing_controls.freeze("bob", 1, "all hands")
        await page.fire_and_resolve()
        assert page.posts() == []
        assert await page.problems() == ["frozen"]
        await page.store.publishing_controls.unfreeze()
        await page.on.publications.wake_all()
        await page.on.turn()
        assert page.statuses() == OVER
        assert await page.problems() == []

    run_scene(with_redis, at, play, "auto")


def test_tripped_guard_sends_retrospective_post_to_review(with_redis, at):
    async def play(page):
        await page.store.publishing_controls.trip(1, "too many posts")
        await page.fire_and_resolve()
        assert page.posts() == []
        await page.decide_review("approved")
        assert page.statuses() == OVER

    run_scene(with_redis, at, play, "auto")


def test_unanswered_call_publishes_one_retrospective_incident(with_redis, at):
    async def play(page):
        page.scene.fault("act-then-drop", path="/v2/status_page_retrospective_incidents")
        await page.fire_and_resolve()
        await page.on.wait_until(lambda: page.statuses() == OVER)
        publication = await page.scene.get_publication()
        assert (publication.state, publication.intent) == ("resolved", None)

    run_scene(with_redis, at, play, "auto")


def test_live_review_deadline_dismisses_retrospective_post(with_redis, at):
    async def play(page):
        await page.deliver_alerts(workers.firing())
        await page.scene.waits_since(workers.LONG_AGO)
        await page.deliver_alerts(workers.resolved())
        assert await page.reviews().waiting() == []
        assert page.posts() == []

    run_scene(with_redis, at, play, deadline=workers.HOUR)


def test_undecided_retrospective_review_ends_at_its_deadline(with_redis, at):
    async def play(page):
        await page.fire_and_resolve()
        assert len(await page.reviews().waiting()) == 1
        await page.scene.waits_since(workers.LONG_AGO)
        await page.on.turn()
        assert await page.reviews().waiting() == []
        assert page.posts() == []

    run_scene(with_redis, at, play)


def test_retraction_dismisses_the_retrospective_review(with_redis, at):
    async def play(page):
        await page.fire_and_resolve()
        on = page.on
        writing = retractions.Retractions(on.store, on.pages, page.places, on.redis_time)
        (one,) = await writing.retract("down", "", retractions.RetractionRequest("ann", "a false alarm"))
        assert one.outcome == "dismissed"
        await on.turn()
        assert await page.reviews().waiting() == []
        assert page.posts() == []

    run_scene(with_redis, at, play)
