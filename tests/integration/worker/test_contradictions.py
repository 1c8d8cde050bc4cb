"""If a source contradicts itself, an automatic post needs a review."""

from router.domain import decisions
from router.store import publishing_state
from router.telemetry import metrics
from tests.integration import public_pages, vendor, workers

AUTOMATIC = workers.rule(
    decisions.Target("on-call", {"name": "Down"}),
    decisions.Target("page", {"title": "Down", "message": "Sorry."}, "auto"),
)


def count_conflicts() -> float:
    return metrics.REGISTRY.get_sample_value("incident_router_conflicting_deliveries_total", {"source": "am"}) or 0


def test_automatic_post_on_contradiction_needs_review(with_redis):
    """One delivery has f1 as both firing and resolved. Without f1, the firing f2 would be posted automatically."""
    before = count_conflicts()

    async def play(on, page, pager):
        await on.deliver(workers.firing(), workers.resolved(), workers.firing("f2"), response=AUTOMATIC)
        await on.turn()
        assert (page.kinds, pager.kinds) == ([], ["open"])
        state = await on.store.publishing_controls.read()
        why = 'source am reports the same alert as both firing and resolved: "f1 is down" (f1)'
        assert (state.tripped, {page: stop.why for page, stop in state.tripped_pages.items()}) == (None, {"page": why})
        told = [event.text for event in await on.incidents.timeline("down") if event.what == "review"]
        assert len(told) == 1
        assert why in told[0]
        assert (await on.store.review_outcomes.read()) == {}

    public_pages.run(with_redis, play)
    assert count_conflicts() == before + 1


def test_post_is_published_after_guard_reset(with_redis):
    async def play(on, page, _):
        await on.deliver(workers.firing(), workers.resolved(), workers.firing("f2"), response=AUTOMATIC)
        await on.turn()
        assert await on.store.publishing_controls.reset()
        await on.publications.wake_all()
        await on.turn()
        assert page.states() == ["open"]

    public_pages.run(with_redis, play)


def test_later_resolution_is_no_contradiction(with_redis):
    async def play(on, page, _):
        await on.deliver(workers.firing(), workers.firing("f2"), response=AUTOMATIC)
        await on.deliver(workers.resolved(), response=AUTOMATIC)
        await on.turn()
        assert page.states() == ["open"]
        assert await on.store.publishing_controls.read() == publishing_state.ACTIVE

    public_pages.run(with_redis, play)


def test_tripped_guard_keeps_its_reason(with_redis):
    async def play(on, page, _):
        await on.store.publishing_controls.trip(1, "too many")
        await on.deliver(workers.firing(), workers.resolved(), response=AUTOMATIC)
        await on.turn()
        assert page.kinds == []
        assert (await on.store.publishing_controls.read()).tripped.why == "too many"

    public_pages.run(with_redis, play)


INTERNAL = workers.rule(decisions.Target("on-call", {"name": "Down"}))
OTHER = workers.rule(decisions.Target("other", {"title": "Down", "message": "Sorry."}, "auto"), name="other")


def test_contradiction_without_page_stops_no_page(with_redis):
    async def play(on, page, pager):
        await on.deliver(workers.firing(), workers.resolved(), response=INTERNAL)
        await on.deliver(workers.firing("f2"), key="shown", response=AUTOMATIC)
        await on.turn()
        assert page.states() == ["open"]
        assert await on.store.publishing_controls.read() == publishing_state.ACTIVE

    public_pages.run(with_redis, play)


def test_contradiction_stops_only_its_pages(with_redis):
    reached, other = vendor.Vendor(), vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing(), workers.resolved(), workers.firing("f2"), response=AUTOMATIC)
        await on.deliver(workers.firing("f3"), key="elsewhere", response=OTHER)
        await on.turn()
        assert (reached.kinds, other.states()) == ([], ["open"])
        assert list((await on.store.publishing_controls.read()).tripped_pages) == ["page"]

    places = [vendor.place("page", reached, public=True), vendor.place("other", other, public=True)]
    workers.run(with_redis, play, *places, vendor.on_call(vendor.Vendor()))


def test_contradiction_stops_pages_of_current_incident(with_redis):
    """The incident still targets a page that the changed rules no longer name."""

    async def play(on, page, pager):
        await on.deliver(workers.firing(), response=AUTOMATIC)
        await on.fold()
        await on.deliver(workers.firing(), workers.resolved(), key="moved", response=INTERNAL)
        await on.turn()
        assert page.kinds == []
        assert list((await on.store.publishing_controls.read()).tripped_pages) == ["page"]

    public_pages.run(with_redis, play)


def test_planned_post_is_stopped_by_contradiction(with_redis):
    async def body(store):
        limit = publishing_state.Limit(9, workers.HOUR)
        await store.publishing_controls.trip_page("page", 1, "why")
        assert not await store.publishing_controls.count_auto_post("page/e1", [], limit, limit)
        assert await store.publishing_controls.count_auto_post("other/e1", [], limit, limit)
        assert await store.publishing_controls.reset()
        assert await store.publishing_controls.count_auto_post("page/e1", [], limit, limit)

    with_redis(body)
