"""Workers with different configurations share the incidents, as during a rolling update."""

from router.domain import decisions
from router.store import keys
from router.worker import unknown_destinations
from tests.integration import vendor, workers

ON_PAGE = workers.rule(decisions.Target("page", {"title": "Down"}, "auto"))


def run(with_redis, play):
    """Run ``play`` with a worker that knows the page, and one that doesn't."""
    page = vendor.Vendor()

    async def body(store):
        new = workers.WorkerHarness(store, vendor.place("page", page, public=True))
        old = workers.WorkerHarness(store, consumer="w2")
        await play(new, old, page)

    with_redis(body)


async def due_in(on) -> float:
    """Return the seconds until the incident is due."""
    due = await on.store.redis.zscore(keys.timers(keys.shard("down")), "down")
    return (due - await on.redis_now()) / 1_000_000


def test_worker_with_the_page_resolves_the_post(with_redis):
    async def play(new, old, page):
        await new.deliver(workers.firing(), response=ON_PAGE)
        await new.turn()
        await old.deliver(workers.resolved(), response=ON_PAGE)
        await old.turn()
        assert page.states() == ["open"]
        assert await due_in(old) <= unknown_destinations.MIN_INTERVAL / 1_000_000
        await new.store.publications.wake(["down"])
        await new.turn()
        assert page.states() == ["resolved"]

    run(with_redis, play)


def test_worker_with_the_page_opens_the_post(with_redis):
    async def play(new, old, page):
        await old.deliver(workers.firing(), response=ON_PAGE)
        await old.turn()
        assert page.states() == []
        assert await due_in(old) <= unknown_destinations.MIN_INTERVAL / 1_000_000
        await new.store.publications.wake(["down"])
        await new.turn()
        assert page.states() == ["open"]

    run(with_redis, play)


def test_incident_that_never_opened_is_not_due(with_redis):
    async def play(_new, old, _page):
        await old.deliver(workers.firing(), response=ON_PAGE)
        await old.turn()
        await old.deliver(workers.resolved(), response=ON_PAGE)
        await old.turn()
        assert await old.store.redis.zscore(keys.timers(keys.shard("down")), "down") is None

    run(with_redis, play)
