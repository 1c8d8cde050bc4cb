"""Dead letters on a real server: seen, tried again after a fix, or let go; nothing of them is lost meanwhile."""

import pytest

from router import settings
from router.assembly import dead_letters
from router.store import dead_deliveries, inbox, keys
from tests.integration import vendor, workers


@pytest.fixture
def configured(tmp_path):
    file = tmp_path / "router.yaml"
    file.write_text("")
    return settings.load(file, {})


def letters(configured, on) -> dead_letters.DeadLetters:
    return dead_letters.DeadLetters(configured, on.connection)


def playing(with_redis, play):
    at = vendor.Vendor()

    async def body(on):
        at.before.append(vendor.permanent())
        await on.deliver(workers.firing())
        await on.turn()
        await play(on, at)

    workers.run(with_redis, body, vendor.on_call(at))


def test_what_a_vendor_has_refused_is_listed_with_its_words(with_redis, configured):
    async def play(on, at):
        (one,) = await letters(configured, on).read()
        assert one.what == 'the open of incident "down" at on-call'
        assert "no such component" in one.problem
        assert one.id.endswith("-on-call")
        assert one.since > 0
        assert at.states() == []

    playing(with_redis, play)


def test_it_is_tried_again_when_a_person_says_so(with_redis, configured):
    async def play(on, at):
        (one,) = await letters(configured, on).read()
        await letters(configured, on).redrive(one, "ann", await on.redis_now())
        await on.turn()
        assert at.states() == ["open"]
        assert await letters(configured, on).read() == []
        assert "ann has the open" in " ".join(event.text for event in await on.incidents.timeline("down"))

    playing(with_redis, play)


def test_what_is_refused_once_more_is_a_dead_letter_once_more(with_redis, configured):
    async def play(on, at):
        (one,) = await letters(configured, on).read()
        at.before.append(vendor.permanent())
        await letters(configured, on).redrive(one, "ann", await on.redis_now())
        await on.turn()
        assert len(at.calls) == 2
        (again,) = await letters(configured, on).read()
        assert again.since > one.since
        await on.turn()
        assert len(at.calls) == 2

    playing(with_redis, play)


def test_what_is_let_go_is_not_listed_and_the_incident_ends_all_the_same(with_redis, configured):
    async def play(on, at):
        (one,) = await letters(configured, on).read()
        await letters(configured, on).discard(one, "ann", "not needed", await on.redis_now())
        await on.turn()
        assert await letters(configured, on).read() == []
        assert "ann has given the open" in (await on.incidents.timeline("down"))[-1].text
        await on.deliver(workers.resolved())
        await on.turn()
        assert (await on.incident()).status == "closed"
        assert at.states() == []

    playing(with_redis, play)


def test_a_delivery_that_could_not_be_processed_goes_back_whole(with_redis, configured):
    async def play(on):
        await on.connection.xadd(keys.INBOX, {"h": b"not a delivery", "b": b'{"as": "received"}'})
        await on.turn()
        (one,) = await letters(configured, on).read()
        assert (one.what, one.body) == ("a delivery", b'{"as": "received"}')
        assert await inbox.depth(on.connection) == (0, 0)
        await letters(configured, on).redrive(one, "ann", 1)
        assert (await inbox.depth(on.connection))[0] == 1
        ((_, fields),) = await on.connection.xrange(keys.INBOX)
        assert fields == {b"h": b"not a delivery", b"b": b'{"as": "received"}'}
        await on.turn()
        (again,) = await letters(configured, on).read()
        await letters(configured, on).discard(again, "ann", "", 1)
        assert await letters(configured, on).read() == []

    workers.run(with_redis, play)


def test_what_is_gone_is_not_tried_again(with_redis):
    async def body(connection):
        assert not await dead_deliveries.DeadDeliveries(connection).redrive("1-1")

    with_redis(body)
