"""The clock of Redis steps back by an hour: no lease, timer, or window lasts longer than intended.

The tests write stored times one hour ahead, which has the same effect as a step back.
"""

from router.store import keys, publishing_state, storm_queue
from tests.integration import vendor, workers

HOUR = 3_600_000_000


async def get_time_ahead(on) -> int:
    return await on.redis_now() + HOUR


def test_lease_from_the_future_lasts_one_lease(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing())
        await on.fold()
        await on.store.redis.hset(keys.publications("down"), "until", await get_time_ahead(on))
        await on.turn()
        assert at.calls == []
        until = int(await on.store.redis.hget(keys.publications("down"), "until"))
        assert until - await on.redis_now() <= 30_000_000
        due = await on.store.redis.zscore(keys.timers(keys.shard("down")), "down")
        assert due == until

    workers.run(with_redis, play, vendor.on_call(at))


def test_clock_set_back_makes_all_timers_due(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing())
        await on.fold()
        await on.store.redis.zadd(keys.timers(keys.shard("down")), {"down": await get_time_ahead(on)})
        await on.turn()
        assert at.calls == []
        # The worker has seen the later time. Now the clock is back.
        on.publications._seen_at = dict.fromkeys(range(keys.SHARDS), await get_time_ahead(on))
        await on.turn()
        assert at.states() == ["open"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_limit_windows_move_future_entries_to_now(with_redis):
    async def body(store):
        seconds, _ = await store.redis.time()
        later = (seconds + 3600) * 1_000_000
        limit = publishing_state.Limit(2, 10_000_000)
        await store.redis.zadd(keys.updates("page"), {"a": later, "b": later})
        until = await store.publishing_controls.reserve_update("page", "c", limit)
        assert until - seconds * 1_000_000 <= 12_000_000
        await store.redis.zadd(keys.POSTS, {"a": later})
        assert await store.publishing_controls.count_auto_post("b", [], limit, limit)
        assert await store.redis.zscore(keys.POSTS, "a") < later
        await store.redis.zadd(keys.ADMITTED, {"a": later, "b": later})
        assert not await store.storm_queue.admit(
            storm_queue.QueuedEpisode("c", "key"), workers.severities.Severity.MAJOR, 1, limit
        )
        assert await store.redis.zscore(keys.ADMITTED, "a") < later

    with_redis(body)
