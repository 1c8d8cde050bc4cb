"""Reviews: pending reviews, decisions, and no publication without approval."""

import functools

import pytest

from router.domain import decisions, severities
from router.domain.reasons import Edit, Reason
from router.domain.reviews import RESOLUTION, digest_of, ending_of
from router.worker import desired_state, reviews
from tests.integration import vendor, workers

MAJOR, CRITICAL = severities.Severity.MAJOR, severities.Severity.CRITICAL


def make_review_response(publish: str = "review", **more) -> decisions.Response:
    return workers.rule(decisions.Target("page", {"title": "Down", "message": "Sorry."}, publish, **more))


class Scene:
    """A worker with one public page, and its reviewers."""

    def __init__(self, on: workers.WorkerHarness, place) -> None:
        self.on = on
        self.at = reviews.Reviews(on.store, on.pages, {"page": place}, on.redis_time)

    async def waiting(self) -> reviews.Review:
        (one,) = await self.at.waiting()
        return one

    async def decide(self, kind: str, fields=None, seen=None) -> None:
        one = seen or await self.waiting()
        await self.at.decide(one, reviews.ReviewDecision(kind, "ann", "because", fields or {}))
        await self.on.turn()

    async def tally(self) -> dict:
        return dict((await self.on.store.review_outcomes.read()).get("down", {}))


def run_scene(with_redis, play, **more) -> vendor.Vendor:
    page = vendor.Vendor()
    place = vendor.place("page", page, public=True)

    async def body(on):
        await play(Scene(on, place), page)

    workers.run(with_redis, body, place, **more)
    return page


def test_approved_post_is_shown_and_counted(with_redis):
    async def play(scene, page):
        await scene.on.deliver(workers.firing(), response=make_review_response())
        await scene.on.turn()
        one = await scene.waiting()
        assert (one.what, one.title, one.reason) == ("opening", "Down", Reason.REVIEW_REQUIRED)
        assert page.calls == []
        await scene.decide("approved")
        assert page.kinds == ["open"]
        assert await scene.at.waiting() == []
        assert await scene.tally() == {"approved": 1}
        told = [event.text for event in await scene.on.incidents.timeline("down")]
        assert told[-2:] == [
            "Approved at page by ann: because",
            "Opened at page: the incident is open and nothing has been posted yet; approved by ann.",
        ]

    run_scene(with_redis, play)


def test_edited_text_is_published_byte_for_byte(with_redis):
    async def play(scene, page):
        await scene.on.deliver(workers.firing(), response=make_review_response())
        await scene.on.turn()
        await scene.decide("approved", {"title": "Cards fail"})
        shown = page.incidents["v1"]["content"].fields
        assert (shown["title"], shown["message"]) == ("Cards fail", "Sorry.")
        assert await scene.tally() == {"edited": 1}
        await scene.on.turn()
        assert page.kinds == ["open"]

    run_scene(with_redis, play)


def test_dismissed_post_needs_no_further_review(with_redis):
    async def play(scene, page):
        await scene.on.deliver(workers.firing(), response=make_review_response())
        await scene.on.turn()
        await scene.decide("dismissed")
        await scene.on.deliver(workers.firing("f2"), level=CRITICAL, response=make_review_response())
        await scene.on.turn()
        assert await scene.at.waiting() == []
        assert page.calls == []
        assert await scene.tally() == {"dismissed": 1}

    run_scene(with_redis, play)


def test_approval_covers_only_the_seen_version(with_redis):
    async def play(scene, page):
        await scene.on.deliver(workers.firing(), response=make_review_response())
        await scene.on.turn()
        seen = await scene.waiting()
        await scene.on.deliver(workers.firing("f2"), level=CRITICAL, response=make_review_response())
        await scene.on.turn()
        with pytest.raises(reviews.ReviewChangedError) as raised:
            await scene.decide("approved", seen=seen)
        assert raised.value.now.severity == "critical"
        await scene.on.turn()
        assert page.calls == []
        await scene.decide("approved")
        assert page.incidents["v1"]["content"].severity is CRITICAL

    run_scene(with_redis, play)


def test_change_after_approval_needs_another_review(with_redis):
    async def play(scene, page):
        await scene.on.deliver(workers.firing(), response=make_review_response())
        await scene.on.turn()
        page.before.append(vendor.temporary(0.001))
        await scene.at.decide(await scene.waiting(), reviews.ReviewDecision("approved", "ann"))
        await scene.on.deliver(workers.firing("f2"), level=CRITICAL, response=make_review_response())
        await scene.on.turn()
        await scene.on.turn()
        assert page.states() == []
        assert (await scene.waiting()).severity == "critical"

    run_scene(with_redis, play)


def test_update_needs_review_and_resolution_does_not(with_redis):
    async def play(scene, page):
        await scene.on.deliver(workers.firing(), response=make_review_response())
        await scene.on.turn()
        await scene.decide("approved")
        await scene.on.deliver(workers.firing("f2"), level=CRITICAL, response=make_review_response())
        await scene.on.turn()
        assert page.kinds == ["open"]
        assert (await scene.waiting()).what == "update"
        await scene.decide("approved")
        assert page.kinds == ["open", "update"]
        await scene.on.deliver(workers.resolved(), workers.resolved("f2"), response=make_review_response())
        await scene.on.turn()
        assert page.states() == ["resolved"]
        assert await scene.tally() == {"approved": 1}

    run_scene(with_redis, play)


def test_resolution_before_decision_ends_the_review(with_redis):
    async def play(scene, page):
        await scene.on.deliver(workers.firing(), response=make_review_response())
        await scene.on.turn()
        await scene.on.deliver(workers.resolved(), response=make_review_response())
        await scene.on.turn()
        assert await scene.at.waiting() == []
        assert await scene.tally() == {"over": 1}
        assert (await scene.on.incidents.timeline("down"))[-1].text.endswith(
            "before anyone acted. Nothing is published."
        )

    assert run_scene(with_redis, play).calls == []


def test_review_deadline_publishes_with_a_timeline_event(with_redis):
    async def play(scene, page, window):
        ends_at = await scene.on.redis_now() + window
        await scene.on.deliver(workers.firing(), response=make_review_response(deadline=window, at_deadline="publish"))
        await scene.on.turn()
        await scene.on.check_before(ends_at)
        assert (await scene.waiting()).deadline_at
        assert page.calls == []
        await scene.on.wait_until(lambda: page.states() == ["open"])
        assert await scene.tally() == {"lapsed": 1}
        assert "not decided before the review deadline" in (await scene.on.incidents.timeline("down"))[-1].text

    workers.retry_with_windows(lambda window: run_scene(with_redis, functools.partial(play, window=window)))


def test_review_deadline_can_dismiss(with_redis):
    async def play(scene, page, window):
        ends_at = await scene.on.redis_now() + window
        await scene.on.deliver(workers.firing(), response=make_review_response(deadline=window, at_deadline="dismiss"))
        await scene.on.turn()
        await scene.on.check_before(ends_at)
        (publication,) = await scene.on.publications.look("down")
        since = publication.review.since

        async def over():
            return await scene.on.redis_now() > since + window + 10_000

        await scene.on.wait_until_async(over)
        assert await scene.at.waiting() == []
        assert page.calls == []

    workers.retry_with_windows(lambda window: run_scene(with_redis, functools.partial(play, window=window)))


def test_shadowed_post_is_recorded_once(with_redis):
    async def play(scene, page):
        await scene.on.deliver(workers.firing(), response=make_review_response("shadow"))
        await scene.on.turn()
        await scene.on.turn()
        (shadow,) = [event for event in await scene.on.incidents.timeline("down") if event.what == "review"]
        assert shadow.detail["fields"]["title"] == "Down"
        assert await scene.at.waiting() == []
        await scene.on.deliver(workers.resolved(), response=make_review_response("shadow"))
        await scene.on.turn()
        assert await scene.tally() == {"shadow": 1}

    assert run_scene(with_redis, play).calls == []


def test_post_edited_by_person_needs_reviews(with_redis):
    async def play(scene, page):
        await scene.on.deliver(workers.firing(), response=make_review_response("auto"))
        await scene.on.turn()
        page.incidents["v1"]["edited"] = Edit.TITLE_CHANGED
        await scene.on.deliver(workers.firing("f2"), level=CRITICAL, response=make_review_response("auto"))
        await scene.on.turn()
        assert page.incidents["v1"]["content"].severity is MAJOR
        assert (await scene.waiting()).reason == Reason.EDITED_AT_VENDOR
        await scene.on.deliver(workers.resolved(), workers.resolved("f2"), response=make_review_response("auto"))
        await scene.on.turn()
        assert page.states() == ["open"]
        seen = await scene.waiting()
        assert seen.what == "resolution"
        other = ending_of(seen.asked, seen.episode, "words that nobody has seen")
        for digest in (digest_of(RESOLUTION, seen.view_digest), other):
            with pytest.raises(reviews.ReviewChangedError):
                await scene.at.decide(seen._replace(digest=digest), reviews.ReviewDecision("approved", "ann"))
        await scene.decide("approved")
        assert page.states() == ["resolved"]

    run_scene(with_redis, play)


def test_person_may_resolve_an_edited_post(with_redis):
    async def play(scene, page):
        await scene.on.deliver(workers.firing(), response=make_review_response("auto"))
        await scene.on.turn()
        page.incidents["v1"]["edited"] = Edit.UPDATE_POSTED
        await scene.on.deliver(workers.resolved(), response=make_review_response("auto"))
        await scene.on.turn()
        await scene.decide("dismissed")
        assert page.states() == ["open"]
        assert await scene.at.waiting() == []

    run_scene(with_redis, play)


def test_leak_guard_checks_all_but_reviewer_texts(with_redis):
    def render(fields, _, __):
        return dict(fields), "an IP address" if "10.0.0.1" in fields["title"] else ""

    leaky = workers.rule(decisions.Target("page", {"title": "10.0.0.1 is down", "message": "Sorry."}, "auto"))

    async def play(scene, page):
        scene.on.pages._desires = desired_state.DesiredStateBuilder(lambda fields, _: dict(fields), render)
        await scene.on.deliver(workers.firing(), response=leaky)
        await scene.on.turn()
        assert page.calls == []
        assert (await scene.waiting()).explanation == "awaiting approval: the text has an IP address"
        await scene.decide("approved", {"title": "Down"})
        assert page.incidents["v1"]["content"].fields["title"] == "Down"

    run_scene(with_redis, play)
