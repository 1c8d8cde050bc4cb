"""Openings in a window are counted once each, in order, by the clock of Redis."""

import asyncio

from router.domain import severities
from router.store import keys, publishing_state, storm_queue
from tests.integration import workers

HOUR = 3_600_000_000
MAJOR, CRITICAL = severities.Severity.MAJOR, severities.Severity.CRITICAL


def episode(number: int | str) -> storm_queue.QueuedEpisode:
    return storm_queue.QueuedEpisode(f"e{number}", f'key {number}{{labels.a="b c"}}')


class LimitedQueue:
    """The storm queue of a store, with one limit."""

    def __init__(self, store, most: int, window: int) -> None:
        self._queue, self._limit = store.storm_queue, publishing_state.Limit(most, window)
        self.remove = self._queue.remove

    async def admit(self, queued_episode: storm_queue.QueuedEpisode, level: severities.Severity, since: int) -> bool:
        return await self._queue.admit(queued_episode, level, since, self._limit)

    async def state(self) -> storm_queue.StormState:
        return await self._queue.state(self._limit)


async def admit_each(at: LimitedQueue, numbers, level=MAJOR) -> list[bool]:
    return [await at.admit(episode(number), level, number * 1000) for number in numbers]


async def pass_by(store) -> None:
    """Expire the window by moving all admissions into the past."""
    await store.redis.delete(keys.ADMITTED)


def test_excess_incidents_are_queued(with_redis):
    async def body(store):
        at = LimitedQueue(store, 2, HOUR)
        assert await at.state() == storm_queue.StormState()
        assert await admit_each(at, range(5)) == [True, True, False, False, False]
        assert (await at.state()).waiting == 3

    with_redis(body)


def test_admitted_incident_counts_once(with_redis):
    async def body(store):
        at = LimitedQueue(store, 2, HOUR)
        assert await admit_each(at, [1, 1, 1, 2, 1, 3]) == [True] * 5 + [False]

    with_redis(body)


def test_concurrent_workers_share_the_storm_limit(with_redis):
    async def body(store):
        at = LimitedQueue(store, 7, HOUR)
        let_in = await asyncio.gather(*(at.admit(episode(number), MAJOR, number) for number in range(50)))
        assert sum(let_in) == 7
        assert (await at.state()).waiting == 43

    with_redis(body)


def test_most_severe_incident_is_admitted_first(with_redis):
    """Among incidents of equal severity, the longest-waiting one is next."""

    async def body(store):
        at = LimitedQueue(store, 2, HOUR)
        await admit_each(at, [1, 2, 8, 7])
        await admit_each(at, [9], CRITICAL)
        assert (await at.state()).next == ()
        await pass_by(store)
        assert (await at.state()).next == (episode(9), episode(7))
        assert await admit_each(at, [10, 8, 7]) == [False, False, True]
        assert await admit_each(at, [11], CRITICAL) == [False]
        assert await admit_each(at, [9], CRITICAL) == [True]
        assert (await at.state()).waiting == 3

    with_redis(body)


def test_more_severe_newcomer_is_admitted_first(with_redis):
    async def body(store):
        at = LimitedQueue(store, 1, HOUR)
        await admit_each(at, [1, 2])
        await pass_by(store)
        assert await admit_each(at, [3], CRITICAL) == [True]

    with_redis(body)


def test_rising_severity_moves_up_in_queue(with_redis):
    async def body(store):
        at = LimitedQueue(store, 1, HOUR)
        await admit_each(at, [1, 2, 3])
        await admit_each(at, [3], CRITICAL)
        await pass_by(store)
        assert (await at.state()).next == (episode(3),)

    with_redis(body)


def test_removed_incident_leaves_the_queue(with_redis):
    async def body(store):
        at = LimitedQueue(store, 1, HOUR)
        await admit_each(at, [1, 2, 3])
        await at.remove([])
        await at.remove([episode(2), episode("unknown")])
        await pass_by(store)
        assert (await at.state()).next == (episode(3),)

    with_redis(body)


def test_limit_resets_after_the_window(with_redis):
    async def body(store):
        async def fill(window):
            await store.redis.flushall()
            at = LimitedQueue(store, 1, window)
            return at, await admit_each(at, [1, 2])

        (at, admitted), _ = await workers.run_in_window(store, fill)
        assert admitted == [True, False]
        async with asyncio.timeout(60):
            while not await at.admit(episode(2), MAJOR, 2):
                await asyncio.sleep(0.005)

    with_redis(body)


def test_storm_ends_after_an_idle_window(with_redis):
    """The next storm begins once."""

    async def body(store):
        async def calm_down(window):
            await store.redis.flushall()
            at = LimitedQueue(store, 1, window)
            await admit_each(at, [1, 2])
            first, second = await at.state(), await at.state()
            await at.remove([episode(2)])
            return at, first, second, await at.state()

        (at, first, second, calm), window = await workers.run_in_window(store, calm_down)
        assert (first.began, second.began) == (True, False)
        assert first.since == second.since > 0
        assert (calm.waiting, calm.since, calm.ended) == (0, first.since, False)
        async with asyncio.timeout(60):
            while not (calm := await at.state()).ended:
                assert calm.since == first.since
                await asyncio.sleep(0.005)
        assert calm.since == 0
        assert await workers.get_time(store) >= first.since + window
        assert await at.state() == storm_queue.StormState()

    with_redis(body)
