"""An incident that waits for an operator has no timer, and the upkeep of timers leaves it alone."""

import pytest

from router.domain import decisions
from tests.integration import vendor, workers

REVIEW = workers.rule(decisions.Target("page", {"title": "Down", "message": "Sorry."}, "review"))
ENDS_BY_REVIEW = workers.rule(
    decisions.Target("page", {"title": "Down", "message": "Sorry."}, "auto", ending=decisions.Ending(review=True))
)


@pytest.fixture
def run_scene(with_redis):
    def run(play):
        page = vendor.Vendor()

        async def body(on):
            await play(on, page)

        workers.run(with_redis, body, vendor.place("page", page, public=True))

    return run


async def resolve_alerts(on, response, *alerts):
    for alert in alerts:
        await on.deliver(alert, response=response)
        await on.turn()
    await on.reconciler.sweep()  # A worker's first pass wakes all resting incidents once.
    await on.turn()


@pytest.mark.parametrize(
    ("response", "alerts"),
    [(REVIEW, [workers.firing()]), (ENDS_BY_REVIEW, [workers.firing(), workers.resolved()])],
    ids=["open", "closed"],
)
def test_incident_in_review_sets_no_timer(run_scene, response, alerts):
    async def play(on, _page):
        await resolve_alerts(on, response, *alerts)
        for _ in range(3):
            assert await on.reconciler.sweep() == 0
            assert await on.due() == []

    run_scene(play)


def test_lost_timer_of_a_changed_incident_is_rebuilt(run_scene):
    async def play(on, page):
        await resolve_alerts(on, REVIEW, workers.firing())
        await on.deliver(workers.resolved(), response=REVIEW)
        await on.fold()
        for shard in range(workers.keys.SHARDS):
            await on.store.redis.delete(workers.keys.timers(shard))
        assert await on.reconciler.sweep() == 1

    run_scene(play)


def test_lost_timer_of_a_woken_incident_is_rebuilt(run_scene):
    async def play(on, page):
        await resolve_alerts(on, REVIEW, workers.firing())
        await on.publications.wake_all()
        for shard in range(workers.keys.SHARDS):
            await on.store.redis.delete(workers.keys.timers(shard))
        assert await on.reconciler.sweep() == 1

    run_scene(play)


def test_first_pass_of_a_worker_wakes_resting_incidents(run_scene):
    """The configuration may have changed: a destination may have been added again, or a limit raised."""

    async def play(on, page):
        await resolve_alerts(on, REVIEW, workers.firing())
        on.reconciler._index_repair = type(on.reconciler._index_repair)(on.store)
        assert await on.reconciler.sweep() == 0
        assert len(await on.due()) == 1

    run_scene(play)
