"""A store that goes away while a worker is at an incident: the incident waits for the store, not for the lease."""

from router.store import errors, keys
from tests.integration import vendor, workers


def test_an_incident_that_was_left_since_the_store_was_away_is_due_as_soon_as_it_is_back(with_redis):
    """And not only when the lease that could not be given back has run out."""
    at = vendor.Vendor()
    at.before = [errors.Unavailable("Redis cannot be reached")]

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        assert await on.due() == []
        await on.reconciler.give_back()
        await on.until(lambda: at.states() == ["open"])
        assert at.kinds == ["open", "open"]
        await on.reconciler.give_back()

    workers.run(with_redis, play, vendor.on_call(at))


def test_an_incident_that_was_left_since_something_cannot_be_read_is_not_tried_again_at_once(with_redis):
    at = vendor.Vendor()
    at.before = [errors.UnreadableDocument("the document is damaged")]

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.reconciler.give_back()
        assert await on.due() == []
        assert at.kinds == ["open"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_a_lease_that_has_passed_on_meanwhile_is_not_given_back_for_somebody_else(with_redis):
    at = vendor.Vendor()
    at.before = [errors.Unavailable("Redis cannot be reached")]

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.connection.hset(keys.publications("down"), "until", 0)
        await on.connection.zadd(keys.timers(keys.shard("down")), {"down": 0})
        (lease,) = await on.due()
        await on.reconciler.give_back()
        assert await on.due() == []
        assert not await on.reconciler.reconcile(lease)
        assert at.states() == ["open"]

    workers.run(with_redis, play, vendor.on_call(at))
