"""Overlapping batches are acknowledged after their commits, and failed entries stay pending."""

import pytest

from router.store import errors, incidents, keys
from router.worker import batch_size, inbox_consumer
from tests.integration import workers


def make_consumer(on: workers.WorkerHarness, least: int = 2, most: int = 4) -> inbox_consumer.InboxConsumer:
    return inbox_consumer.InboxConsumer(on.reader, on.triage, batch_size.BatchSizer(least, most), 10)


async def deliver_count(on: workers.WorkerHarness, count: int) -> None:
    await on.reader.prepare()
    for number in range(count):
        await on.deliver(workers.firing(str(number)))


async def count_entries(on: workers.WorkerHarness) -> tuple[int, int]:
    """Return the number of entries in the inbox, and the number of entries that have been read."""
    pending = await on.store.redis.xpending(keys.INBOX, keys.GROUP)
    return await on.store.redis.xlen(keys.INBOX), pending["pending"]


def test_waiting_deliveries_are_folded_once(with_redis):
    async def play(on):
        await deliver_count(on, 11)
        taken = make_consumer(on)
        for _ in range(4):
            await taken.turn()
        assert len((await on.incident()).firing) == 11
        assert await count_entries(on) == (0, 0)

    workers.run(with_redis, play)


def test_prefetched_batch_is_folded_before_shutdown(with_redis):
    async def play(on):
        await deliver_count(on, 5)
        taken = make_consumer(on)
        await taken.turn()
        assert 2 <= len((await on.incident()).firing) < 5, "else there is nothing ahead"
        await taken.finish()
        assert len((await on.incident()).firing) == 5
        assert await count_entries(on) == (0, 0)
        await taken.finish()

    workers.run(with_redis, play)


def test_last_batch_is_acknowledged(with_redis):
    async def play(on):
        await deliver_count(on, 1)
        await make_consumer(on).turn()
        assert await count_entries(on) == (0, 0)

    workers.run(with_redis, play)


class Failing(incidents.Incidents):
    """A store that can't be written to while ``fails``."""

    fails = False

    async def commit(self, *arguments):
        if self.fails:
            raise errors.Unavailable("Redis has no memory left")
        return await super().commit(*arguments)


def test_failed_batch_stays_pending(with_redis):
    """Other batches continue."""

    async def play(on):
        await deliver_count(on, 2)
        await on.deliver(workers.firing("9"), key="other")
        taken = make_consumer(on)
        on.incidents.fails = True
        with pytest.raises(errors.Unavailable):
            await taken.turn()
        on.incidents.fails = False
        await taken.turn()
        assert (await on.incident("other")).status == "open"
        assert await count_entries(on) == (2, 2)
        await on.triage.handle_again(await on.reader.own_pending(10))
        assert len((await on.incident()).firing) == 2
        assert await count_entries(on) == (0, 0)

    async def body(store):
        await play(workers.WorkerHarness(store, incidents=Failing(store.connection)))

    with_redis(body)
