"""Dead letters are listed, redriven after a fix, or discarded, and never lost."""

import pytest

from router import configuration
from router.domain import deliveries
from router.services import dead_letters
from router.store import codec, compression, keys
from tests.integration import vendor, workers


@pytest.fixture
def settings(tmp_path):
    file = tmp_path / "router.yaml"
    file.write_text("")
    return configuration.load(file, {})


def make_dead_letters(configured, on) -> dead_letters.DeadLetters:
    return dead_letters.DeadLetters(on.store)


def run_scene(with_redis, play):
    at = vendor.Vendor()

    async def body(on):
        at.before.append(vendor.make_permanent())
        await on.deliver(workers.firing())
        await on.turn()
        await play(on, at)

    workers.run(with_redis, body, vendor.on_call(at))


def test_refused_operation_is_listed_with_vendor_message(with_redis, settings):
    async def play(on, at):
        (one,) = await make_dead_letters(settings, on).read()
        assert one.what == 'the open of incident "down" at on-call'
        assert "no such component" in one.problem
        assert one.id.endswith("-on-call")
        assert one.since > 0
        assert at.states() == []

    run_scene(with_redis, play)


def test_redriven_dead_letter_is_tried_again(with_redis, settings):
    async def play(on, at):
        (one,) = await make_dead_letters(settings, on).read()
        await make_dead_letters(settings, on).redrive(one, "ann", await on.redis_now())
        await on.turn()
        assert at.states() == ["open"]
        assert await make_dead_letters(settings, on).read() == []
        assert "ann has the open" in " ".join(event.text for event in await on.incidents.timeline("down"))

    run_scene(with_redis, play)


def test_redriven_operation_can_be_refused_again(with_redis, settings):
    async def play(on, at):
        (one,) = await make_dead_letters(settings, on).read()
        at.before.append(vendor.make_permanent())
        await make_dead_letters(settings, on).redrive(one, "ann", await on.redis_now())
        await on.turn()
        assert len(at.calls) == 2
        (again,) = await make_dead_letters(settings, on).read()
        assert again.since > one.since
        await on.turn()
        assert len(at.calls) == 2

    run_scene(with_redis, play)


def test_discarded_dead_letter_does_not_block_resolution(with_redis, settings):
    async def play(on, at):
        (one,) = await make_dead_letters(settings, on).read()
        await make_dead_letters(settings, on).discard(one, "ann", "not needed", await on.redis_now())
        await on.turn()
        assert await make_dead_letters(settings, on).read() == []
        assert "ann has given the open" in (await on.incidents.timeline("down"))[-1].text
        await on.deliver(workers.resolved())
        await on.turn()
        assert (await on.incident()).status == "closed"
        assert at.states() == []

    run_scene(with_redis, play)


def test_dead_delivery_is_redriven_completely(with_redis, settings):
    async def play(on):
        await on.store.redis.xadd(keys.INBOX, {"h": b"not a delivery", "b": b'{"as": "received"}'})
        await on.turn()
        (one,) = await make_dead_letters(settings, on).read()
        assert (one.what, one.body) == ("a delivery", b'{"as": "received"}')
        assert await on.store.inbox.depth() == (0, 0)
        await make_dead_letters(settings, on).redrive(one, "ann", 1)
        assert (await on.store.inbox.depth())[0] == 1
        ((_, fields),) = await on.store.redis.xrange(keys.INBOX)
        assert fields == {b"h": b"not a delivery", b"b": b'{"as": "received"}'}
        await on.turn()
        (again,) = await make_dead_letters(settings, on).read()
        await make_dead_letters(settings, on).discard(again, "ann", "", 1)
        assert await make_dead_letters(settings, on).read() == []

    workers.run(with_redis, play)


def test_compressed_dead_delivery_is_redriven_unchanged(with_redis, settings):
    """Its body is shown as received."""

    async def play(on):
        sent = b'{"as": "received"}' * 1000
        packed = codec.pack_delivery(deliveries.Delivery(2, "d" * 2000, "am", 5, [], []))
        stored = {"h": packed, "z": compression.compress(sent)}
        await on.store.redis.xadd(keys.INBOX, stored)
        await on.turn()
        (one,) = await make_dead_letters(settings, on).read()
        assert (one.problem.rpartition(", this version")[0], one.body) == ("the entry has schema 2", sent)
        await make_dead_letters(settings, on).redrive(one, "ann", 1)
        ((_, fields),) = await on.store.redis.xrange(keys.INBOX)
        assert fields == {name.encode(): value for name, value in stored.items()}

    workers.run(with_redis, play)


def test_dead_delivery_with_damaged_data_is_listed(with_redis, settings):
    async def play(on):
        await on.store.redis.xadd(keys.INBOX, {"h": b"\xc1damaged", "z": b"damaged"})
        await on.turn()
        (one,) = await make_dead_letters(settings, on).read()
        assert (one.what, one.body) == ("a delivery", b"")
        assert "can't be the compressed form" in one.problem

    workers.run(with_redis, play)


def test_deleted_dead_letter_is_not_redriven(with_redis):
    async def body(store):
        assert not await store.dead_deliveries.redrive("1-1")

    with_redis(body)
