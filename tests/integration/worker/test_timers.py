"""Timers open, resolve, and expire an incident without new deliveries."""

import msgspec

from router.bootstrap import factories
from router.domain import decisions
from tests.integration import vendor, workers

SHORT = 300_000  # In microseconds: long enough to observe, and short enough to wait for.


def timed(**durations: int) -> decisions.Response:
    return decisions.Response(
        "down",
        "rules/a.yaml:3",
        "v1",
        (decisions.Target("on-call", {"name": "Down"}),),
        timing=decisions.Timing(**durations),
    )


def test_held_alert_opens_after_its_hold(with_redis):
    at = vendor.Vendor()

    async def play(on):
        began = factories.clock()
        await on.deliver(workers.firing(), response=timed(open_after=SHORT))
        await on.turn()
        assert at.states() == []
        assert (await on.incident()).status == "pending"
        await on.until(lambda: at.states() == ["open"])
        assert factories.clock() - began >= SHORT
        assert at.kinds == ["open"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_alert_resolved_during_hold_opens_nothing(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing(), response=timed(open_after=SHORT))
        await on.turn()
        await on.deliver(workers.resolved(), response=timed(open_after=SHORT))
        await on.turn()
        assert (await on.incident()).status == "closed"
        assert await on.due() == []
        assert at.kinds == []

    workers.run(with_redis, play, vendor.on_call(at))


def test_quiet_incident_resolves_unless_it_fires_again(with_redis):
    at = vendor.Vendor()

    async def play(on):
        response = timed(resolve_after=SHORT)
        await on.deliver(workers.firing(), response=response)
        await on.deliver(workers.resolved(), response=response)
        await on.turn()
        await on.deliver(workers.firing(starts_at=200), response=response)
        await on.turn()
        assert at.states() == ["open"]
        await on.deliver(workers.resolved(starts_at=200), response=response)
        await on.turn()
        assert at.states() == ["open"]
        await on.until(lambda: at.states() == ["resolved"])
        assert at.kinds == ["open", "resolve"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_alert_without_repeats_becomes_stale(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing(), response=timed(stale_after=SHORT))
        await on.turn()
        assert at.states() == ["open"]
        await on.until(lambda: at.states() == ["resolved"])

    workers.run(with_redis, play, vendor.on_call(at))


def test_alert_with_end_time_resolves_unless_repeated(with_redis):
    at = vendor.Vendor()

    async def play(on):
        first = await on.redis_now() + 20 * SHORT
        await on.deliver(msgspec.structs.replace(workers.firing(), ends_at=first))
        await on.turn()
        assert (at.states(), (await on.incident()).expires_at) == (["open"], first)
        second = await on.redis_now() + SHORT
        await on.deliver(msgspec.structs.replace(workers.firing("f2"), ends_at=second))
        await on.deliver(workers.resolved())
        await on.turn()
        assert at.states() == ["open"]
        await on.until(lambda: at.states() == ["resolved"])
        assert await on.redis_now() >= second
        assert at.kinds == ["open", "resolve"]
        # Repeat the message, as after a worker's death. No incident opens.
        await on.deliver(msgspec.structs.replace(workers.firing("f2"), ends_at=second))
        await on.turn()
        assert at.kinds == ["open", "resolve"]
        await on.deliver(msgspec.structs.replace(workers.firing("f2"), ends_at=second + 20 * SHORT))
        await on.turn()
        assert at.states() == ["resolved", "open"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_expired_alert_refires_under_current_rules(with_redis):
    at = vendor.Vendor()

    async def play(on):
        now = await on.redis_now()
        await on.deliver(msgspec.structs.replace(workers.firing(), ends_at=now - SHORT))
        await on.turn()
        assert ((await on.incident()).status, at.kinds) == ("closed", [])
        await on.deliver(msgspec.structs.replace(workers.firing(), ends_at=now + 100 * SHORT), key="other")
        await on.turn()
        assert ((await on.incident()).status, (await on.incident("other")).status) == ("closed", "open")

    workers.run(with_redis, play, vendor.on_call(at))


def test_missed_heartbeat_is_incident_until_next_signal(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing(), response=timed(heartbeat=SHORT))
        await on.fold()
        assert (await on.incident()).status == "closed"
        await on.until(lambda: at.states() == ["open"])
        await on.deliver(workers.firing(), response=timed(heartbeat=SHORT))
        await on.until(lambda: at.states()[0] == "resolved")
        await on.until(lambda: at.states() == ["resolved", "open"])

    workers.run(with_redis, play, vendor.on_call(at))
