"""A source that contradicts itself, on a real server: what would be posted by itself is a review instead."""

from router.domain import decision
from router.store import counts, gate
from router.telemetry import metrics
from tests.integration import page_scene, stage

AUTOMATIC = stage.rule(
    decision.Target("on-call", {"name": "Down"}),
    decision.Target("page", {"title": "Down", "message": "Sorry."}, "auto"),
)


def counted() -> float:
    return metrics.REGISTRY.get_sample_value("incident_router_contradictions_total", {"source": "am"}) or 0


def test_an_automatic_post_that_rests_on_a_contradiction_waits_for_a_person(with_redis):
    """Of f1 the same delivery says both; f2 keeps the incident open, and would have been posted."""
    before = counted()

    async def play(on, page, pager):
        await on.deliver(stage.firing(), stage.resolved(), stage.firing("f2"), response=AUTOMATIC)
        await on.turn()
        assert (page.kinds, pager.kinds) == ([], ["open"])
        state = await gate.Gate(on.connection).state()
        assert state.breaker.why == (
            'source am says of one alert that it fires and that it is resolved: "f1 is down" (f1)'
        )
        told = [event.text for event in await on.incidents.timeline("down") if event.what == "review"]
        assert len(told) == 1
        assert state.breaker.why in told[0]
        assert (await counts.Counts(on.connection).read()) == {}

    page_scene.playing(with_redis, play)
    assert counted() == before + 1


def test_after_a_person_has_opened_the_breaker_it_goes_out(with_redis):
    async def play(on, page, _):
        await on.deliver(stage.firing(), stage.resolved(), stage.firing("f2"), response=AUTOMATIC)
        await on.turn()
        assert await gate.Gate(on.connection).open("breaker")
        await on.publications.wake_all()
        await on.turn()
        assert page.states() == ["open"]

    page_scene.playing(with_redis, play)


def test_what_one_delivery_says_and_a_later_one_ends_is_posted_as_ever(with_redis):
    async def play(on, page, _):
        await on.deliver(stage.firing(), stage.firing("f2"), response=AUTOMATIC)
        await on.deliver(stage.resolved(), response=AUTOMATIC)
        await on.turn()
        assert page.states() == ["open"]
        assert (await gate.Gate(on.connection).state()).breaker is None

    page_scene.playing(with_redis, play)


def test_a_breaker_that_is_closed_already_keeps_its_reason(with_redis):
    async def play(on, page, _):
        await gate.Gate(on.connection).shut("breaker", "breaker", 1, "too many")
        await on.deliver(stage.firing(), stage.resolved(), response=AUTOMATIC)
        await on.turn()
        assert page.kinds == []
        assert (await gate.Gate(on.connection).state()).breaker.why == "too many"

    page_scene.playing(with_redis, play)
