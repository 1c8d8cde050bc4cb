"""How many incidents begin to open in a while, on a real server: counted once each, in order, by Redis' clock."""

import asyncio

from router.domain import severity
from router.store import keys, publishing_state, storm_queue
from tests.integration import stage

HOUR = 3_600_000_000
MAJOR, CRITICAL = severity.Severity.MAJOR, severity.Severity.CRITICAL


def episode(number: int | str) -> storm_queue.Episode:
    return storm_queue.Episode(f"e{number}", f'key {number}{{labels.a="b c"}}')


async def one_by_one(at: storm_queue.StormQueue, numbers, level=MAJOR) -> list[bool]:
    return [await at.admit(episode(number), level, number * 1000) for number in numbers]


async def pass_by(connection) -> None:
    """Let the window be over: all that was let in was let in long ago."""
    await connection.delete(keys.ADMITTED)


def test_no_more_are_let_in_than_may_and_the_others_wait(with_redis):
    async def body(connection):
        at = storm_queue.StormQueue(connection, publishing_state.Limit(2, HOUR))
        assert await at.state() == storm_queue.StormState()
        assert await one_by_one(at, range(5)) == [True, True, False, False, False]
        assert (await at.state()).waiting == 3

    with_redis(body)


def test_who_was_let_in_is_let_in_again_and_counted_once(with_redis):
    async def body(connection):
        at = storm_queue.StormQueue(connection, publishing_state.Limit(2, HOUR))
        assert await one_by_one(at, [1, 1, 1, 2, 1, 3]) == [True] * 5 + [False]

    with_redis(body)


def test_of_many_workers_at_once_no_more_are_let_in_than_may(with_redis):
    async def body(connection):
        at = storm_queue.StormQueue(connection, publishing_state.Limit(7, HOUR))
        let_in = await asyncio.gather(*(at.admit(episode(number), MAJOR, number) for number in range(50)))
        assert sum(let_in) == 7
        assert (await at.state()).waiting == 43

    with_redis(body)


def test_the_most_severe_is_next_and_then_who_waits_longest_and_nobody_comes_in_between(with_redis):
    async def body(connection):
        at = storm_queue.StormQueue(connection, publishing_state.Limit(2, HOUR))
        await one_by_one(at, [1, 2, 8, 7])
        await one_by_one(at, [9], CRITICAL)
        assert (await at.state()).next == ()
        await pass_by(connection)
        assert (await at.state()).next == (episode(9), episode(7))
        assert await one_by_one(at, [10, 8, 7]) == [False, False, True]
        assert await one_by_one(at, [11], CRITICAL) == [False]
        assert await one_by_one(at, [9], CRITICAL) == [True]
        assert (await at.state()).waiting == 3

    with_redis(body)


def test_a_newcomer_goes_first_where_it_is_worse_than_all_that_wait(with_redis):
    async def body(connection):
        at = storm_queue.StormQueue(connection, publishing_state.Limit(1, HOUR))
        await one_by_one(at, [1, 2])
        await pass_by(connection)
        assert await one_by_one(at, [3], CRITICAL) == [True]

    with_redis(body)


def test_who_gets_worse_while_it_waits_is_moved_up(with_redis):
    async def body(connection):
        at = storm_queue.StormQueue(connection, publishing_state.Limit(1, HOUR))
        await one_by_one(at, [1, 2, 3])
        await one_by_one(at, [3], CRITICAL)
        await pass_by(connection)
        assert (await at.state()).next == (episode(3),)

    with_redis(body)


def test_who_leaves_waits_no_more(with_redis):
    async def body(connection):
        at = storm_queue.StormQueue(connection, publishing_state.Limit(1, HOUR))
        await one_by_one(at, [1, 2, 3])
        await at.remove([])
        await at.remove([episode(2), episode("unknown")])
        await pass_by(connection)
        assert (await at.state()).next == (episode(3),)

    with_redis(body)


def test_there_is_room_again_when_the_window_has_passed(with_redis):
    async def body(connection):
        async def fill(window):
            await connection.flushall()
            at = storm_queue.StormQueue(connection, publishing_state.Limit(1, window))
            return at, await one_by_one(at, [1, 2])

        (at, admitted), _ = await stage.in_time(connection, fill)
        assert admitted == [True, False]
        async with asyncio.timeout(60):
            while not await at.admit(episode(2), MAJOR, 2):
                await asyncio.sleep(0.005)

    with_redis(body)


def test_a_storm_begins_once_and_is_over_when_none_has_waited_for_as_long_as_the_window(with_redis):
    async def body(connection):
        async def calm_down(window):
            await connection.flushall()
            at = storm_queue.StormQueue(connection, publishing_state.Limit(1, window))
            await one_by_one(at, [1, 2])
            first, second = await at.state(), await at.state()
            await at.remove([episode(2)])
            return at, first, second, await at.state()

        (at, first, second, calm), window = await stage.in_time(connection, calm_down)
        assert (first.began, second.began) == (True, False)
        assert first.since == second.since > 0
        assert (calm.waiting, calm.since, calm.ended) == (0, first.since, False)
        async with asyncio.timeout(60):
            while not (calm := await at.state()).ended:
                assert calm.since == first.since
                await asyncio.sleep(0.005)
        assert calm.since == 0
        assert await stage.now_of(connection) >= first.since + window
        assert await at.state() == storm_queue.StormState()

    with_redis(body)
