"""Timers open, resolve, and expire an incident without new deliveries."""

import msgspec

from router.domain import decisions
from tests.integration import workers


def make_timed_response(**durations: int) -> decisions.Response:
    return decisions.Response(
        "down",
        "rules/a.yaml:3",
        "v1",
        (decisions.Target("on-call", {"name": "Down"}),),
        timing=decisions.Timing(**durations),
    )


def test_held_alert_opens_after_its_hold(with_redis):
    async def play(on, at, window):
        began = await on.redis_now()
        await on.deliver(workers.firing(), response=make_timed_response(open_after=window))
        await on.turn()
        await on.check_before(began + window)
        assert at.states() == []
        assert (await on.incident()).status == "pending"
        await on.wait_until(lambda: at.states() == ["open"])
        assert await on.redis_now() - began >= window
        assert at.kinds == ["open"]

    workers.run_in_time(with_redis, play)


def test_alert_resolved_during_hold_opens_nothing(with_redis):
    async def play(on, at, window):
        began = await on.redis_now()
        await on.deliver(workers.firing(), response=make_timed_response(open_after=window))
        await on.turn()
        await on.deliver(workers.resolved(), response=make_timed_response(open_after=window))
        await on.turn()
        await on.check_before(began + window)
        assert (await on.incident()).status == "closed"
        assert await on.due() == []
        assert at.kinds == []

    workers.run_in_time(with_redis, play)


def test_quiet_incident_resolves_unless_it_fires_again(with_redis):
    async def play(on, at, window):
        response = make_timed_response(resolve_after=window)
        began = await on.redis_now()
        await on.deliver(workers.firing(), response=response)
        await on.deliver(workers.resolved(), response=response)
        await on.turn()
        await on.deliver(workers.firing(starts_at=200), response=response)
        await on.turn()
        await on.check_before(began + window)
        assert at.states() == ["open"]
        began = await on.redis_now()
        await on.deliver(workers.resolved(starts_at=200), response=response)
        await on.turn()
        await on.check_before(began + window)
        assert at.states() == ["open"]
        await on.wait_until(lambda: at.states() == ["resolved"])
        assert at.kinds == ["open", "resolve"]

    workers.run_in_time(with_redis, play)


def test_alert_without_repeats_becomes_stale(with_redis):
    async def play(on, at, window):
        began = await on.redis_now()
        await on.deliver(workers.firing(), response=make_timed_response(stale_after=window))
        await on.turn()
        await on.check_before(began + window)
        assert at.states() == ["open"]
        await on.wait_until(lambda: at.states() == ["resolved"])

    workers.run_in_time(with_redis, play)


def test_alert_with_end_time_resolves_unless_repeated(with_redis):
    async def play(on, at, window):
        first = await on.redis_now() + window
        await on.deliver(msgspec.structs.replace(workers.firing(), ends_at=first))
        await on.turn()
        await on.check_before(first)
        assert (at.states(), (await on.incident()).summary.expires_at) == (["open"], first)
        second = await on.redis_now() + window
        await on.deliver(msgspec.structs.replace(workers.firing("f2"), ends_at=second))
        await on.deliver(workers.resolved())
        await on.turn()
        await on.check_before(second)
        assert at.states() == ["open"]
        await on.wait_until(lambda: at.states() == ["resolved"])
        assert await on.redis_now() >= second
        assert at.kinds == ["open", "resolve"]
        # Repeat the message, as after a worker's death. No incident opens.
        await on.deliver(msgspec.structs.replace(workers.firing("f2"), ends_at=second))
        await on.turn()
        assert at.kinds == ["open", "resolve"]
        await on.deliver(msgspec.structs.replace(workers.firing("f2"), ends_at=second + workers.HOUR))
        await on.turn()
        assert at.states() == ["resolved", "open"]

    workers.run_in_time(with_redis, play)


def test_expired_alert_refires_under_current_rules(with_redis):
    async def play(on, at, window):
        now = await on.redis_now()
        await on.deliver(msgspec.structs.replace(workers.firing(), ends_at=now - window))
        await on.turn()
        assert ((await on.incident()).status, at.kinds) == ("closed", [])
        await on.deliver(msgspec.structs.replace(workers.firing(), ends_at=now + workers.HOUR), key="other")
        await on.turn()
        assert ((await on.incident()).status, (await on.incident("other")).status) == ("closed", "open")

    workers.run_in_time(with_redis, play)


def test_missed_heartbeat_is_incident_until_next_signal(with_redis):
    async def play(on, at, window):
        began = await on.redis_now()
        await on.deliver(workers.firing(), response=make_timed_response(heartbeat=window))
        await on.fold()
        await on.check_before(began + window)
        assert (await on.incident()).status == "closed"
        await on.wait_until(lambda: at.states() == ["open"])
        await on.deliver(workers.firing(), response=make_timed_response(heartbeat=window))
        await on.wait_until(lambda: at.states()[0] == "resolved")
        await on.wait_until(lambda: at.states() == ["resolved", "open"])

    workers.run_in_time(with_redis, play)
