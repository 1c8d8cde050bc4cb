"""Posts at both simulated kinds of page are monitored before they are resolved, or resolved by a reviewer."""

import itertools

import msgspec
import pytest

from router.domain import decisions
from router.domain.incidents import QuietPeriod
from router.domain.reviews import RESOLUTION
from router.store import incidents, keys
from router.worker import reviews
from tests.end_to_end import harness
from tests.integration import vendors, workers

KINDS = ["incident-io-status-page", "devhelm-status-page"]
WORDS = {"incident-io-status-page": "monitoring", "devhelm-status-page": "MONITORING"}
FIRST = {"incident-io-status-page": "investigating", "devhelm-status-page": "INVESTIGATING"}
TEXT = "It works again. We keep an eye on it."


@pytest.fixture
def at():
    with harness.vendors() as simulated:
        yield simulated


class WorkerKilled(Exception):
    """The worker dies."""


class Page:
    """A post, its alert, and its vendor."""

    def __init__(self, scene, store, *, monitor_for, review):
        self.scene = scene
        self.on = scene.on
        self.kind = scene.kind
        self.store = store
        self.starts = itertools.count(1)
        monitoring = {"update_status": WORDS[self.kind], "update_message": TEXT}
        ending = decisions.Ending(monitor_for, monitoring, {"update_status": FIRST[self.kind]}, review)
        if not monitor_for:
            ending = decisions.Ending(review=review)
        self.rule = workers.rule(decisions.Target(vendors.NAME, vendors.FIELDS[self.kind], "auto", ending=ending))

    async def fire(self):
        self.start = next(self.starts) * 1_000
        await self.on.deliver(workers.firing(starts_at=self.start), response=self.rule)
        await self.on.turn()

    async def end_alert(self):
        await self.deliver_end()
        await self.on.turn()

    async def deliver_end(self):
        await self.on.deliver(workers.resolved(starts_at=self.start), response=self.rule)

    async def advance(self):
        """Advance past the end of the monitoring."""

        def make(held):
            earlier = msgspec.structs.replace(held.incident, quiet=QuietPeriod(1, 1))
            return incidents.Change(earlier, held.version, wake=True)

        assert await self.on.incidents.update("down", make)
        await self.on.turn()

    def posts(self):
        state = self.scene.at.state()
        if self.kind == "incident-io-status-page":
            return state["incident-io"]["status_page_incidents"]
        return self.scene.at.posts()

    def updates(self):
        """The updates of the only post, as (status, text), oldest first."""
        (post,) = self.posts()
        if self.kind == "incident-io-status-page":
            return [(update["incident_status"], update["message"]) for update in post["updates"]]
        return [(update["status"].lower(), update["body"]) for update in post["updates"]]

    def status(self):
        (post,) = self.posts()
        return str(post.get("incident_status") or post["status"]).lower()

    def statuses(self):
        return [status for status, _ in self.updates()]


def run_scene(with_redis, at, kind, play, *, monitor_for=workers.HOUR, review=False, **settings):
    async def body(store):
        async with vendors.run_harness(store, at, kind, **settings) as scene:
            await play(Page(scene, store, monitor_for=monitor_for, review=review))

    with_redis(body)


@pytest.mark.parametrize("kind", KINDS)
def test_post_is_monitored_and_then_resolved(with_redis, at, kind):
    async def play(page):
        await page.fire()
        await page.end_alert()
        assert page.updates()[-1] == ("monitoring", TEXT)
        assert page.status() == "monitoring"
        assert (await page.on.incident()).status == "open"
        await page.advance()
        assert page.statuses() == ["investigating", "monitoring", "resolved"]
        assert (await page.on.incident()).status == "closed"
        texts = [event.text for event in await page.on.incidents.timeline("down")]
        assert "Set to monitoring at there: all alerts are resolved." in texts

    run_scene(with_redis, at, kind, play)


@pytest.mark.parametrize("kind", KINDS)
def test_refiring_alert_reverts_the_monitored_post(with_redis, at, kind):
    """The router creates neither a resolution nor a second post. Monitoring may begin again with the same text."""

    async def play(page):
        await page.fire()
        for _ in range(2):
            await page.end_alert()
            assert page.updates()[-1] == ("monitoring", TEXT)
            await page.fire()
            assert page.status() == "investigating"
            assert page.updates()[-1][0] == "investigating"
        assert page.statuses() == ["investigating", *["monitoring", "investigating"] * 2]
        publication = await page.scene.get_publication()
        assert (publication.state, publication.taken_over, publication.episode) == (
            "open",
            "",
            (await page.on.incident()).episode,
        )

    run_scene(with_redis, at, kind, play)


@pytest.mark.parametrize("kind", KINDS)
def test_monitored_post_is_reverted_without_text(with_redis, at, kind):
    async def play(page):
        await page.fire()
        await page.end_alert()
        await page.fire()
        assert page.status() == "investigating"
        assert len(page.posts()) == 1

    run_scene(with_redis, at, kind, play, update_message="")


@pytest.mark.parametrize("point", ["after-intent", "after-call", "before-record"])
@pytest.mark.parametrize("kind", KINDS)
def test_next_worker_continues_monitoring_after_a_kill(with_redis, at, kind, point):
    """Redis has the monitored posts and their deadlines. The update is posted once."""

    async def play(page):
        await page.fire()

        def dies(passed):
            if passed == point:
                raise WorkerKilled

        page.on.performer._checkpoint = dies
        await page.deliver_end()
        with pytest.raises(WorkerKilled):
            await page.on.turn()
        page.on = workers.WorkerHarness(
            page.store, page.scene.place, consumer="w2", render=lambda fields, _: dict(fields)
        )
        await page.store.redis.hset(keys.publications("down"), "until", 0)
        await page.store.redis.zadd(keys.timers(keys.shard("down")), {"down": 0})
        await page.on.wait_until(lambda: page.status() == "monitoring" and page.statuses()[-1] == "monitoring")
        await page.advance()
        await page.on.wait_until(lambda: page.status() == "resolved")
        assert page.statuses() == ["investigating", "monitoring", "resolved"]

    run_scene(with_redis, at, kind, play)


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_post_is_monitored_after_unfreezing(with_redis, at, kind):
    async def play(page):
        await page.fire()
        await page.store.publishing_controls.freeze("ann", 1, "all hands")
        await page.end_alert()
        assert page.statuses() == ["investigating"]
        await page.store.publishing_controls.unfreeze()
        await page.on.publications.wake(["down"])
        await page.on.turn()
        assert page.updates()[-1] == ("monitoring", TEXT)
        assert page.status() == "monitoring"

    run_scene(with_redis, at, kind, play)


@pytest.mark.parametrize("kind", KINDS)
def test_tripped_guard_sends_monitoring_to_review(with_redis, at, kind):
    async def play(page):
        await page.fire()
        await page.store.publishing_controls.trip(1, "too many posts")
        await page.end_alert()
        assert page.statuses() == ["investigating"]
        (waits,) = await make_reviews(page).of_incident("down")
        assert (waits.what, waits.fields["update_message"]) == ("monitoring", TEXT)
        await make_reviews(page).decide(
            waits, reviews.ReviewDecision("approved", "ann", fields={"update_message": "Fixed."})
        )
        await page.on.turn()
        assert page.updates()[-1] == ("monitoring", "Fixed.")

    run_scene(with_redis, at, kind, play)


@pytest.mark.parametrize("monitor_for", [0, workers.HOUR])
@pytest.mark.parametrize("kind", KINDS)
def test_reviewer_resolves_the_post(with_redis, at, kind, monitor_for):
    async def play(page):
        await page.fire()
        await page.end_alert()

        if monitor_for:
            assert await make_reviews(page).of_incident("down") == []
            await page.advance()
        assert "resolved" not in page.statuses()
        (seen,) = await make_reviews(page).of_incident("down")
        assert (seen.what, seen.asked) == ("resolution", RESOLUTION)
        word = reviews.ReviewDecision("approved", "ann", fields={"resolve_message": "All is well."})
        await make_reviews(page).decide(seen, word)
        await page.on.turn()
        assert page.updates()[-1] == ("resolved", "All is well.")
        texts = [event.text for event in await page.on.incidents.timeline("down")]
        assert "Resolved at there: the incident is closed; approved by ann." in texts

    run_scene(with_redis, at, kind, play, monitor_for=monitor_for, review=True)


@pytest.mark.parametrize("kind", KINDS)
def test_opening_review_shows_the_resolution_texts(with_redis, at, kind):
    async def play(page):
        (target,) = page.rule.targets
        page.rule = workers.rule(decisions.Target(target.destination, target.fields, "review", ending=target.ending))
        await page.fire()
        (seen,) = await make_reviews(page).of_incident("down")
        assert seen.what == "opening"
        assert list(seen.later) == ["monitoring", "resolution"]

    run_scene(with_redis, at, kind, play)


def make_reviews(page):
    on = page.on
    return reviews.Reviews(on.store, on.pages, {vendors.NAME: page.scene.place}, on.redis_time)
