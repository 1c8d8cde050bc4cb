"""Vendors fail in every way: calls are retried with the same key, searched for before a repeat, and never doubled."""

import msgspec
import pytest

from router.domain import severities
from router.outbound import errors
from router.store import keys
from tests.integration import vendor, workers

CRITICAL = severities.Severity.CRITICAL


def place(at: vendor.Vendor, **more):
    quick = vendor.place("on-call", at, **more)
    return type(quick)(quick.name, quick.kind, quick.destination, quick.follows, timeout_seconds=0.02)


def test_refused_call_is_retried_with_its_key(with_redis):
    at = vendor.Vendor()
    at.before = [vendor.temporary(), vendor.temporary()]

    async def play(on):
        await on.deliver(workers.firing())
        await on.wait_until(lambda: at.states() == ["open"])
        assert len({call.key for call in at.calls}) == 1
        assert len(at.calls) == 3

    workers.run(with_redis, play, place(at))


def test_no_call_before_the_vendor_retry_time(with_redis):
    at = vendor.Vendor()
    at.before = [vendor.temporary(retry_after=60.0)]

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.turn()
        assert at.kinds == ["open"]
        shard = keys.shard("down")
        seconds, micros = await on.store.redis.time()
        due = await on.store.redis.zscore(keys.timers(shard), "down")
        assert 50_000_000 < due - (seconds * 1_000_000 + micros) <= 60_000_000

    workers.run(with_redis, play, place(at))


def test_unanswered_open_is_repeated_with_its_key(with_redis):
    """The vendor keeps idempotency keys."""
    at = vendor.Vendor(repeatable_open=True)
    at.after = [vendor.make_unanswered()]

    async def play(on):
        await on.deliver(workers.firing())
        await on.wait_until(lambda: len(at.calls) == 2)
        assert at.states() == ["open"]
        assert at.finds == 0
        assert len({call.key for call in at.calls}) == 1

    workers.run(with_redis, play, place(at))


def test_carried_out_open_is_found_not_repeated(with_redis):
    at = vendor.Vendor(repeatable_open=False)
    at.after = [vendor.make_unanswered()]

    async def play(on):
        await on.deliver(workers.firing())
        await on.wait_until(lambda: at.finds >= 1)
        await on.turn()
        assert at.kinds == ["open"]
        await on.deliver(workers.resolved())
        await on.wait_until(lambda: at.states() == ["resolved"])

    workers.run(with_redis, play, place(at))


def test_lost_open_is_repeated_after_a_search(with_redis):
    at = vendor.Vendor(repeatable_open=False)
    at.before = [vendor.make_unanswered()]

    async def play(on):
        await on.deliver(workers.firing())
        await on.wait_until(lambda: at.states() == ["open"])
        assert at.kinds == ["open", "open"]
        assert at.finds >= 1

    workers.run(with_redis, play, place(at))


def test_unanswered_resolution_is_completed(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        at.after = [vendor.make_unanswered()]
        await on.deliver(workers.resolved())
        await on.wait_until(lambda: at.kinds.count("resolve") == 2)
        assert at.states() == ["resolved"]

    workers.run(with_redis, play, place(at))


def test_unanswered_open_is_resolved_after_the_end(with_redis):
    at = vendor.Vendor(repeatable_open=False)
    at.after = [vendor.make_unanswered()]

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.deliver(workers.resolved())
        await on.wait_until(lambda: at.states() == ["resolved"])
        assert at.kinds == ["open", "resolve"]

    workers.run(with_redis, play, place(at))


def test_permanent_refusal_is_a_dead_letter(with_redis):
    at = vendor.Vendor()
    at.before = [vendor.make_permanent()]

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.deliver(workers.firing("f2"))
        await on.turn()
        assert at.kinds == ["open"]
        (publication,) = await read_publications(on)
        assert publication.refusal == "422: no such component"
        assert publication.intent is None

    workers.run(with_redis, play, place(at))


async def read_publications(on) -> list:
    """Wake the incident, read its publications under a lease, and release the lease."""
    await on.store.redis.zadd(keys.timers(keys.shard("down")), {"down": 0})
    (lease,) = await on.due()
    await on.publications.release(lease, due=0, finished=False)
    return lease.publications


def test_refused_update_does_not_block_resolution(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        at.before = [vendor.make_permanent()]
        await on.deliver(workers.firing("b"), level=CRITICAL)
        await on.turn()
        await on.deliver(workers.resolved(), workers.resolved("b"))
        await on.turn()
        assert at.kinds == ["open", "update", "resolve"]
        assert at.states() == ["resolved"]

    workers.run(with_redis, play, place(at))


def test_lost_lease_makes_no_call(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing())
        await on.fold()
        (lease,) = await on.due()
        await on.store.redis.hincrby(keys.publications("down"), "fence", 1)
        assert not await on.reconciler.reconcile(lease)
        assert at.calls == []

    workers.run(with_redis, play, place(at))


@pytest.mark.parametrize(
    "failure", [vendor.temporary(0.001), vendor.temporary(), errors.Permanent("403: the key is no good", status=403)]
)
def test_failed_search_does_not_repeat_the_open(with_redis, failure):
    """An open without a response is found and resolved, even if the first search fails and the alert resolves."""
    at = vendor.Vendor(repeatable_open=False)

    async def play(on):
        at.after.append(errors.Unanswered("no answer", 0.001))
        at.failing_finds.append(failure)
        await on.deliver(workers.firing())
        await on.turn()
        assert at.states() == ["open"]
        await on.deliver(workers.resolved())
        await on.wait_until(lambda: at.states() == ["resolved"])
        assert at.finds >= 2
        assert at.kinds == ["open", "resolve"]

    workers.run(with_redis, play, place(at))


def test_incident_resolves_after_a_failed_second_search(with_redis):
    at = vendor.Vendor(repeatable_open=False)

    async def play(on):
        at.before.append(errors.Unanswered("no answer", 0.001))
        at.failing_finds += [None, vendor.temporary(0.001)]
        await on.deliver(workers.firing())
        await on.wait_until(lambda: at.states() == ["open"])
        await on.deliver(workers.resolved())
        await on.wait_until(lambda: at.states() == ["resolved"])
        assert at.kinds == ["open", "open", "resolve"]

    workers.run(with_redis, play, place(at))


def test_incident_resolves_after_a_failed_repeated_open(with_redis):
    at = vendor.Vendor()

    async def play(on):
        at.after.append(errors.Unanswered("no answer", 0.001))
        at.before += [None, vendor.temporary(0.001)]
        await on.deliver(workers.firing())
        await on.turn()
        await on.deliver(workers.resolved())
        await on.wait_until(lambda: at.states() == ["resolved"])
        assert at.kinds == ["open", "open", "open", "resolve"]

    workers.run(with_redis, play, place(at))


def test_intent_of_dead_worker_is_searched_first(with_redis):
    at = vendor.Vendor(repeatable_open=False)

    async def play(on):
        await on.deliver(workers.firing())
        await on.fold()
        (lease,) = await on.due()
        session = stage_session(on, lease)
        (publication,) = session.publications
        intent = make_intent(publication)
        await session.record(msgspec.structs.replace(publication, number=1, intent=intent))
        await on.store.redis.hset(keys.publications("down"), "until", 0)
        await on.store.redis.zadd(keys.timers(keys.shard("down")), {"down": 0})
        await on.wait_until(lambda: at.states() == ["open"])
        assert at.finds >= 1

    workers.run(with_redis, play, place(at))


def stage_session(on, lease):
    from router.worker import desired_state, lease_session

    return lease_session.LeaseSession(
        lease, on.store, lambda: 0, desired_state.DesiredStateBuilder(workers.render), on.pages
    )


def make_intent(publication):
    from router.domain import publications

    content = publications.Content(CRITICAL, {})
    return publications.Intent("open", 1, 1, content)


def test_publications_can_be_read_without_a_lease(with_redis):
    at = vendor.Vendor()

    async def play(on):
        assert await on.publications.names() == []
        await on.deliver(workers.firing(), key='down{labels.region="a:b"}')
        await on.turn()
        assert await on.publications.names() == ['down{labels.region="a:b"}']
        (publication,) = await on.publications.look('down{labels.region="a:b"}')
        assert (publication.state, publication.vendor_id) == ("open", "v1")

    workers.run(with_redis, play, place(at))


def test_older_of_two_opened_incidents_stays(with_redis):
    """The first response is lost, a search finds nothing, the second open succeeds, and then the first item appears."""
    at = vendor.Vendor(repeatable_open=False)
    at.after = [vendor.make_unanswered()]
    looked = at.find

    async def late(call):
        return await looked(call) if at.kinds == ["open", "open"] else None

    at.find = late

    async def play(on):
        await on.deliver(workers.firing())
        await on.wait_until(lambda: at.kinds == ["open", "open"])
        await on.turn()
        (publication,) = await on.publications.look("down")
        assert publication.vendor_id == "v1"

    workers.run(with_redis, play, place(at))
