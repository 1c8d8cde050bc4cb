"""An operator retracts a post in any state, at both simulated kinds of page."""

import msgspec
import pytest

from router.domain import decisions, incidents, severities
from router.domain.reasons import Reason
from router.store import keys
from router.store.incidents import Change
from router.worker import retractions, reviews
from tests.end_to_end import harness
from tests.integration import vendors, workers

KINDS = ["incident-io-status-page", "devhelm-status-page"]
each_kind = pytest.mark.parametrize("kind", KINDS)
DEFAULT = "This incident was posted in error. Our services were not affected."
COMPONENTS = {"incident-io-status-page": "full_outage", "devhelm-status-page": "MAJOR_OUTAGE"}


@pytest.fixture
def at():
    with harness.vendors() as simulated:
        yield simulated


class WorkerKilled(Exception):
    """The worker dies."""


class Page:
    """A post, its alert, its vendor, and an operator."""

    def __init__(self, scene, store, **target):
        self.scene, self.on, self.kind, self.store = scene, scene.on, scene.kind, store
        fields = {**vendors.FIELDS[self.kind], "components": {"Checkout API": "major_outage"}}
        self.target = decisions.Target(vendors.NAME, fields, "auto", **target)

    async def fire(self, fingerprint="f1", level=severities.Severity.MAJOR, starts_at=100):
        response = workers.rule(self.target)
        await self.on.deliver(workers.firing(fingerprint, starts_at), level=level, response=response)
        await self.on.turn()

    async def end_alert(self, starts_at=100):
        await self.on.deliver(workers.resolved(starts_at=starts_at), response=workers.rule(self.target))
        await self.on.turn()

    async def retracts(self, message=""):
        """Retract the incident's posts, and return the results."""
        found = await self.written(message)
        await self.on.turn()
        return [one.outcome for one in found]

    async def written(self, message=""):
        on = self.on
        places = {vendors.NAME: self.scene.place}
        writing = retractions.Retractions(on.store, on.pages, places, on.redis_time)
        return await writing.retract("down", "", retractions.RetractionRequest("ann", "a false alarm", message))

    def dies_at(self, point):
        """Make the worker die at a point of its next operation."""

        def dies(passed):
            if passed == point:
                raise WorkerKilled

        self.on.performer._checkpoint = dies

    async def next_worker(self):
        """Let another worker take over the lease."""
        self.on = self.scene.on = workers.WorkerHarness(
            self.store, self.scene.place, consumer="w2", render=lambda fields, _: dict(fields)
        )
        await self.store.redis.hset(keys.publications("down"), "until", 0)
        await self.store.redis.zadd(keys.timers(keys.shard("down")), {"down": 0})
        await self.on.turn()

    def reviews(self):
        on = self.on
        return reviews.Reviews(on.store, on.pages, {vendors.NAME: self.scene.place}, on.redis_time)

    def posts(self):
        if self.kind == "incident-io-status-page":
            return self.scene.at.state()["incident-io"]["status_page_incidents"]
        return self.scene.at.posts()

    def component(self):
        if self.kind == "incident-io-status-page":
            return self.scene.at.state()["incident-io"]["components"]["Checkout API"]
        return self.scene.at.component("Checkout API").lower()

    def is_down(self, posts=1):
        """Return whether none of the created posts is public."""
        if self.kind == "incident-io-status-page":
            ends = [post["updates"][-1]["message"] for post in self.posts()]
            over = [
                update["message"]
                for post in self.posts()
                for update in post["updates"]
                if update["incident_status"] == "resolved"
            ]
            return ends == over == [DEFAULT] * posts and self.component() == "operational"
        return self.posts() == [] and self.component() == "operational"

    def person(self, method, fields, number=0):
        """Change the post at the vendor."""
        post = self.posts()[number]
        vendor = vendors.VENDORS[self.kind]
        if self.kind == "incident-io-status-page":
            path = "/v2/status_page_incidents/" + post["id"]
        else:
            path = f"/api/v1/status-pages/{post['statusPageId']}/incidents/{post['id']}"
        status, _ = harness.ask(f"{self.scene.at.url}/{vendor}{path}", fields, "x", method)
        assert status == 200

    async def timeline_texts(self):
        return [event.text for event in await self.on.incidents.timeline("down")]


def run_scene(with_redis, at, kind, play, target=None, **settings):
    async def body(store):
        async with vendors.run_harness(store, at, kind, **settings) as scene:
            await play(Page(scene, store, **(target or {})))

    with_redis(body)


@each_kind
def test_retracted_post_is_not_published_again(with_redis, at, kind):
    """Neither a higher severity nor another alert publishes the post again. The resolution posts no update."""

    async def play(page):
        await page.fire()
        assert page.component() == COMPONENTS[kind].lower()
        assert await page.retracts() == ["retracting"]
        assert page.is_down()
        calls = len(at.calls("POST"))
        await page.fire(level=severities.Severity.CRITICAL)
        await page.fire("f2")
        await page.on.publications.wake(["down"])
        await page.on.turn()
        await page.on.deliver(workers.resolved("f2"), response=workers.rule(page.target))
        await page.end_alert()
        assert (await page.on.incident()).status == "closed"
        assert page.is_down()
        assert len(at.calls("POST")) == calls
        told = await page.timeline_texts()
        assert "Retracted at there by ann: the post is taken down. Reason: a false alarm" in told
        assert "Retracted at there: retracted by ann: a false alarm." in told

    run_scene(with_redis, at, kind, play)


def test_retract_message_resolves_undeletable_post(with_redis, at):
    async def play(page):
        await page.fire()
        await page.retracts("We were wrong. Checkout works.")
        (post,) = page.posts()
        assert [update["message"] for update in post["updates"]][1:] == ["We were wrong. Checkout works."]
        assert post["incident_status"] == "resolved"

    run_scene(with_redis, at, KINDS[0], play)


@each_kind
def test_next_episode_after_retraction_is_published(with_redis, at, kind):
    async def play(page):
        await page.fire()
        await page.retracts()
        await page.end_alert()
        await page.fire(starts_at=1_000)
        assert [post.get("incident_status", post.get("status")).lower() for post in page.posts()][-1] == "investigating"

    run_scene(with_redis, at, kind, play)


@each_kind
def test_post_that_awaits_review_is_dismissed(with_redis, at, kind):
    async def play(page):
        page.target = decisions.Target(page.target.destination, page.target.fields, "review")
        await page.fire()
        assert len(await page.reviews().waiting()) == 1
        assert await page.retracts() == ["dismissed"]
        assert await page.reviews().waiting() == []
        await page.fire(level=severities.Severity.CRITICAL)
        assert page.posts() == []
        assert "Dismissed at there by ann, who retracted it before it was published. Reason: a false alarm" in (
            await page.timeline_texts()
        )

    run_scene(with_redis, at, kind, play)


@each_kind
@pytest.mark.parametrize("created", [True, False])
def test_post_of_unanswered_publish_is_taken_down(with_redis, at, kind, created):
    """The router doesn't repeat the open to learn its outcome, because a repeat would publish a false post."""

    async def play(page):
        if not created:
            page.scene.fault("drop")
        page.dies_at("before-record")
        with pytest.raises(WorkerKilled):
            await page.fire()
        for _ in range(2):
            assert [one.outcome for one in await page.written()] == ["searching"]
        await page.next_worker()
        if not created:
            publication = await page.scene.get_publication()
            assert publication.intent is not None  # The call may still be in progress, so the router searches again.
            begun = msgspec.structs.replace(publication.intent, begun_at=workers.LONG_AGO)
            await page.scene.changed(retry_at=workers.LONG_AGO, intent=begun)
            await page.on.turn()
        publication = await page.scene.get_publication()
        assert (publication.intent, publication.retracted) == (None, created)
        assert page.is_down(int(created))
        assert len(page.scene.list_creates()) == 1

    run_scene(with_redis, at, kind, play, waits_seconds=60.0)


@each_kind
@pytest.mark.parametrize("control", ["freeze", "guard"])
def test_post_is_taken_down_despite_a_publishing_stop(with_redis, at, kind, control):
    async def play(page):
        await page.fire()
        await (
            page.store.publishing_controls.freeze("bob", 1, "all hands")
            if control == "freeze"
            else page.store.publishing_controls.trip(1, "all hands")
        )
        await page.retracts()
        assert page.is_down()

    run_scene(with_redis, at, kind, play)


@each_kind
@pytest.mark.parametrize("point", ["before-intent", "after-intent", "after-call", "before-record"])
def test_next_worker_completes_a_retraction_after_a_kill(with_redis, at, kind, point):
    async def play(page):
        await page.fire()

        page.dies_at(point)
        await page.written()
        with pytest.raises(WorkerKilled):
            await page.on.turn()
        await page.next_worker()
        await page.on.wait_until(page.is_down)
        assert len(page.scene.list_creates()) == 1

    run_scene(with_redis, at, kind, play)


@each_kind
def test_unanswered_retraction_is_not_repeated(with_redis, at, kind):
    async def play(page):
        await page.fire()
        page.scene.fault("act-then-drop", "PUT" if kind.startswith("devhelm") else "POST", "")
        await page.retracts()
        await page.scene.changed(retry_at=workers.LONG_AGO)
        await page.on.turn()
        assert page.is_down()
        assert (await page.scene.get_publication()).retracted

    run_scene(with_redis, at, kind, play)


@each_kind
def test_retraction_stops_at_an_unseen_change(with_redis, at, kind):
    """A retraction covers only the version that the operator saw. A second retraction covers the changed post."""

    async def play(page):
        await page.fire()
        page.person("PUT", {"name": "Cards fail", "title": "Cards fail"})
        assert await page.retracts() == ["retracting"]
        assert not page.is_down()
        (waits,) = await page.reviews().of_incident("down")
        assert (waits.what, waits.reason) == ("retraction", Reason.EDITED_AT_VENDOR)
        await page.reviews().decide(waits, reviews.ReviewDecision("approved", "bob"))
        await page.on.turn()
        assert page.is_down()

    run_scene(with_redis, at, kind, play)


@each_kind
def test_dismissed_retraction_keeps_a_post_changed_by_person(with_redis, at, kind):
    async def play(page):
        await page.fire()
        page.person("PUT", {"name": "Cards fail", "title": "Cards fail"})
        await page.retracts()
        (waits,) = await page.reviews().of_incident("down")
        await page.reviews().decide(waits, reviews.ReviewDecision("dismissed", "bob"))
        await page.on.turn()
        assert not page.is_down()
        assert (await page.on.incident()).interventions.retractions == {}
        assert await page.retracts() == ["retracting"]  # The operator has seen the change.
        assert page.is_down()

    run_scene(with_redis, at, kind, play)


@each_kind
def test_resolved_post_has_nothing_to_retract(with_redis, at, kind):
    async def play(page):
        await page.fire()
        await page.end_alert()
        before = page.posts()
        assert await page.retracts() == ["resolved"]
        assert page.posts() == before

    run_scene(with_redis, at, kind, play)


@each_kind
def test_approval_publishes_a_retracted_post_again(with_redis, at, kind):
    async def play(page):
        await page.fire()
        await page.retracts()
        assert await page.reviews().waiting() == []
        (again,) = await page.reviews().of_incident("down")
        assert (again.what, again.reason) == ("opening", Reason.RETRACTED)
        await page.reviews().decide(again, reviews.ReviewDecision("approved", "bob"))
        await page.on.turn()
        shown = page.posts()[-1]
        assert shown.get("incident_status", shown.get("status")).lower() == "investigating"
        assert page.component() == COMPONENTS[kind].lower()
        assert (await page.scene.get_publication()).state == "open"
        assert await page.retracts() == ["retracting"]
        assert page.is_down(2)

    run_scene(with_redis, at, kind, play)


@each_kind
def test_retraction_outlives_its_episode(with_redis, at, kind):
    """Before a worker takes the post down, the incident resolves and fires again."""

    async def play(page):
        await page.fire()
        await page.written()
        await page.on.deliver(workers.resolved(), response=workers.rule(page.target))
        await page.on.fold()
        await page.on.deliver(workers.firing(starts_at=1_000), response=workers.rule(page.target))
        await page.on.turn()
        states = {publication.state: publication.retracted for publication in await page.on.publications.look("down")}
        assert states == {"resolved" if kind == KINDS[0] else "dismissed": True, "open": False}

    run_scene(with_redis, at, kind, play)


@each_kind
@pytest.mark.parametrize("was_shown", [True, False])
def test_retraction_after_an_approval_withdraws_it(with_redis, at, kind, was_shown):
    """The approval is recorded, but the worker hasn't republished the post yet."""

    async def play(page):
        if not was_shown:
            page.target = decisions.Target(page.target.destination, page.target.fields, "review")
        await page.fire()
        await page.retracts()
        (again,) = await page.reviews().of_incident("down")
        await page.reviews().decide(again, reviews.ReviewDecision("approved", "bob"))
        creates = len(page.scene.list_creates())
        assert await page.retracts() == ["withdrawn" if was_shown else "dismissed"]
        await page.fire(level=severities.Severity.CRITICAL)
        assert len(page.scene.list_creates()) == creates == int(was_shown)
        if was_shown:
            assert page.is_down()
        (anew,) = await page.reviews().of_incident("down")
        await page.reviews().decide(anew, reviews.ReviewDecision("approved", "bob"))
        await page.on.turn()
        assert (await page.scene.get_publication()).state == "open"

    run_scene(with_redis, at, kind, play)


@each_kind
@pytest.mark.parametrize("point", ["before-intent", "after-intent", "after-call", "before-record"])
def test_retraction_during_republishing_takes_post_down(with_redis, at, kind, point):
    """The worker is killed while it publishes the post again, so the outcome of the call is unknown."""

    async def play(page):
        await page.fire()
        await page.retracts()
        (again,) = await page.reviews().of_incident("down")
        await page.reviews().decide(again, reviews.ReviewDecision("approved", "bob"))
        page.dies_at(point)
        with pytest.raises(WorkerKilled):
            await page.on.turn()
        (found,) = await page.written()
        assert found.outcome in {"withheld", "withdrawn", "searching"}
        await page.next_worker()
        if (publication := await page.scene.get_publication()).intent is not None:
            begun = msgspec.structs.replace(publication.intent, begun_at=workers.LONG_AGO)
            await page.scene.changed(retry_at=workers.LONG_AGO, intent=begun)
            await page.on.turn()
        publication = await page.scene.get_publication()
        assert publication.intent is None
        assert publication.state != "open"
        assert page.is_down(len(page.posts()))

    run_scene(with_redis, at, kind, play)


@each_kind
def test_approval_from_before_retraction_is_refused(with_redis, at, kind):
    """The post was approved, published, and retracted, and the reviewer submits an outdated review page."""

    async def play(page):
        page.target = decisions.Target(page.target.destination, page.target.fields, "review")
        await page.fire()
        (seen,) = await page.reviews().of_incident("down")
        await page.reviews().decide(seen, reviews.ReviewDecision("approved", "bob"))
        await page.on.turn()
        await page.retracts()
        with pytest.raises(reviews.ReviewChangedError):
            await page.reviews().decide(seen, reviews.ReviewDecision("approved", "bob"))
        await page.on.turn()
        assert page.is_down()
        (again,) = await page.reviews().of_incident("down")
        assert again.digest != seen.digest
        own = {"message": "In other words."}
        await page.reviews().decide(again, reviews.ReviewDecision("approved", "bob", fields=own))
        await page.on.turn()
        assert (await page.scene.get_publication()).state == "open"

    run_scene(with_redis, at, kind, play)


async def refuse_retraction(page):
    """Make the vendor refuse to take the post down."""
    if page.kind.startswith("devhelm"):
        page.scene.fault("status", "PUT", "", status=422)
    else:
        page.scene.fault("refuse-field", "POST", "/v2/status_page_incident_updates", field="message")
    assert await page.retracts() == ["retracting"]
    assert not page.is_down()
    assert (await page.scene.get_publication()).rejection.operation.startswith("retract:")


@each_kind
@pytest.mark.parametrize("is_given_up", [True, False])
def test_repeated_retraction_retries_a_refused_one(with_redis, at, kind, is_given_up):
    """The response reports that the post is still public. Customers read the newest message."""

    async def play(page):
        await page.fire()
        await refuse_retraction(page)
        if is_given_up:
            publication = await page.scene.get_publication()

            def give_up(held):
                after = incidents.with_interventions(
                    held.incident, discarded_at={publication.name: page.on.redis_time()}
                )
                return Change(after, held.version, wake=True)

            await page.on.incidents.update("down", give_up)
            await page.on.turn()
        message = "" if kind.startswith("devhelm") else "We were wrong. Checkout works."
        assert await page.retracts(message) == ["repeated"]
        if message:
            assert [update["message"] for update in page.posts()[0]["updates"]][1:] == [message]
        else:
            assert page.is_down()
        assert (await page.scene.get_publication()).retracted
        assert "Retracted again at there by ann: the post is still shown, and is taken down. Reason: a false alarm" in (
            await page.timeline_texts()
        )
        assert await page.retracts() == ["retracted"]

    run_scene(with_redis, at, kind, play)


@each_kind
def test_repeated_retraction_reports_the_post_as_shown(with_redis, at, kind):
    """The worker hasn't handled the first retraction yet."""

    async def play(page):
        await page.fire()
        assert [one.outcome for one in await page.written()] == ["retracting"]
        assert [one.outcome for one in await page.written()] == ["repeated"]
        await page.on.turn()
        assert page.is_down()

    run_scene(with_redis, at, kind, play)
