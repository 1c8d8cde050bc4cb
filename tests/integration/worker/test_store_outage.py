"""An incident interrupted by a store outage continues when the store is back, without waiting for its lease."""

from router.store import errors, keys
from tests.integration import vendor, workers


def test_interrupted_incident_is_due_after_store_recovery(with_redis):
    """The incident must not wait for the expiry of the lease, which the worker couldn't release."""
    at = vendor.Vendor()
    at.before = [errors.Unavailable("Redis cannot be reached")]

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        assert await on.due() == []
        await on.reconciler.give_back()
        await on.wait_until(lambda: at.states() == ["open"])
        assert at.kinds == ["open", "open"]
        await on.reconciler.give_back()

    workers.run(with_redis, play, vendor.on_call(at))


def test_unreadable_incident_is_not_retried_immediately(with_redis):
    at = vendor.Vendor()
    at.before = [errors.UnreadableDocument("the document is damaged")]

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.reconciler.give_back()
        assert await on.due() == []
        assert at.kinds == ["open"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_lease_of_another_worker_is_not_released(with_redis):
    at = vendor.Vendor()
    at.before = [errors.Unavailable("Redis cannot be reached")]

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.store.redis.hset(keys.publications("down"), "until", 0)
        await on.store.redis.zadd(keys.timers(keys.shard("down")), {"down": 0})
        (lease,) = await on.due()
        await on.reconciler.give_back()
        assert await on.due() == []
        assert not await on.reconciler.reconcile(lease)
        assert at.states() == ["open"]

    workers.run(with_redis, play, vendor.on_call(at))
