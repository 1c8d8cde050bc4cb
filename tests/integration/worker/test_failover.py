"""A vendor is down for too long: the incident is announced elsewhere, opened late, and resolved everywhere."""

import dataclasses

import msgspec
import pytest

from router.destinations import base
from router.domain import decisions, events, publications
from router.outbound import errors
from router.store import keys
from router.worker import circuit_breaker
from tests.integration import vendor, vendors, workers

MINUTE = 60_000_000
AT_ONCE = base.Failover(after="0", publish=["pager"])
LATER = base.Failover(after="5m", notify=["ops"], publish=["pager"])


class FailingOpening(base.Opening):
    """The fields of the failing destination."""

    name: str
    summary: str = ""


class StandInOpening(base.Opening):
    """The fields of the stand-in destination."""

    title: str
    description: str = ""


class Scene:
    """A worker with a failing destination and its stand-in."""

    def __init__(self, store, failover=AT_ONCE, **more):
        self.down, self.pager = vendor.Vendor(), vendor.Vendor()
        self.on_call = _place("on-call", self.down, FailingOpening, failover)
        self.on = workers.WorkerHarness(
            store,
            self.on_call,
            _place("pager", self.pager, StandInOpening),
            render=lambda fields, _: dict(fields),
            **more,
        )
        self.store = store

    async def fire(self, problem=None, **fields):
        """Fire an alert while the vendor fails."""
        self.down.before = [problem or list_errors("500")] * 1000
        response = workers.rule(decisions.Target("on-call", {"name": "Down", "summary": "5xx", **fields}))
        await self.on.deliver(workers.firing(), response=response)
        await self.on.turn()

    async def get_publications(self) -> dict[str, publications.Publication]:
        return {publication.destination: publication for publication in await self.on.publications.look("down")}

    async def changed(self, **changes):
        """Change the record of the failing publication, and make its incident due immediately."""
        await self.store.redis.zadd(keys.timers(keys.shard("down")), {"down": 0})
        for lease in await self.on.due():
            documents = [
                msgspec.structs.replace(publication, **changes) if publication.destination == "on-call" else publication
                for publication in lease.publications
            ]
            assert await self.on.publications.record(lease, documents)
            await self.on.publications.release(lease, due=1, finished=False)

    async def waits_for(self, micros: int) -> None:
        """Simulate that the vendor has blocked the incident for this time."""
        await self.changed(delay=publications.OpeningDelay(await self.on.redis_now() - micros))
        await self.on.turn()

    async def is_back(self):
        self.down.before.clear()
        await self.changed(retry_at=0)
        self.on.performer.breakers = circuit_breaker.CircuitBreakers(workers.NoJitter())
        await self.on.wait_until(lambda: self.down.states() == ["open"])


def list_errors(kind: str) -> Exception:
    return {
        "500": errors.Unanswered("no answer within 10 s", 30.0),
        "refused": vendor.make_permanent(),
        "limited": vendor.temporary(60.0),
    }[kind]


def _place(name, at, opening, failover=None):
    kind = base.Kind("test", base.Config, opening, public=False, adopts=False, connect=None, make=None)
    return dataclasses.replace(vendor.place(name, at), kind=kind, failover=failover)


@pytest.fixture
def play(with_redis):
    """Run a coroutine function with a scene."""

    def run(body, failover=AT_ONCE, **more):
        async def main(store):
            await body(Scene(store, failover, **more))

        with_redis(main)

    return run


def list_contents(at: vendor.Vendor) -> list[dict]:
    return [incident["content"].fields for incident in at.incidents.values()]


@pytest.mark.parametrize("problem", ["500", "refused", "limited"])
def test_stand_in_opens_and_resolves_with_the_incident(play, problem):
    async def body(scene):
        await scene.fire(list_errors(problem))
        assert scene.pager.states() == ["open"]
        assert list_contents(scene.pager) == [{"title": "Down", "description": "5xx"}]
        if problem == "refused":
            return
        await scene.is_back()
        assert (scene.pager.states(), len(scene.down.incidents)) == (["open"], 1)
        await scene.on.deliver(workers.resolved())
        await scene.on.turn()
        assert (scene.down.states(), scene.pager.states()) == (["resolved"], ["resolved"])

    play(body)


def test_incident_resolved_during_the_outage_never_opens_late(play):
    async def body(scene):
        await scene.fire(list_errors("limited"))
        await scene.on.deliver(workers.resolved())
        await scene.on.turn()
        assert scene.pager.states() == ["resolved"]
        scene.down.before.clear()
        await scene.changed(retry_at=0)
        await scene.on.turn()
        assert scene.down.incidents == {}

    play(body)


def test_open_repeated_after_the_end_is_marked(play):
    """The open may have succeeded, so it is repeated. A mark keeps the destination from paging responders."""

    async def body(scene):
        await scene.fire(list_errors("500"))
        await scene.on.deliver(workers.resolved())
        await scene.on.turn()
        scene.down.before.clear()
        await scene.changed(retry_at=0)
        scene.on.performer.breakers = circuit_breaker.CircuitBreakers(workers.NoJitter())
        await scene.on.wait_until(lambda: scene.down.states() == ["resolved"])
        opens = [(call.is_over, call.failures > 0) for call in scene.down.calls if call.kind == "open"]
        assert (opens[0], opens[-1]) == ((False, False), (True, True))

    play(body)


def test_stand_in_opens_only_after_the_delay(play):
    async def body(scene):
        await scene.fire()
        since = (await scene.get_publications())["on-call"].delay.since
        assert since
        due = await scene.store.redis.zscore(keys.timers(keys.shard("down")), "down")
        assert due <= since + 5 * MINUTE
        await scene.waits_for(4 * MINUTE)
        assert scene.pager.incidents == {}
        await scene.waits_for(5 * MINUTE)
        assert scene.pager.states() == ["open"]
        await scene.waits_for(9 * MINUTE)
        assert len(scene.pager.incidents) == 1

    play(body, LATER)


def test_incident_behind_an_open_circuit_breaker_is_announced(play):
    """No call was made for this incident: calls for other incidents opened the circuit breaker."""

    async def body(scene):
        now = await scene.on.redis_now()
        for _ in range(circuit_breaker.FAILURES):
            scene.on.performer.breakers.record("on-call", vendor.make_unanswered(), now, "open")
        await scene.fire()
        assert (scene.down.calls, scene.pager.states()) == ([], ["open"])

    play(body)


def test_outage_across_a_restart_counts_from_its_beginning(play, with_redis):
    async def main(store):
        first = Scene(store, LATER)
        await first.fire()
        await first.changed(delay=publications.OpeningDelay(await first.on.redis_now() - 6 * MINUTE))
        second = Scene(store, LATER)
        second.down.before = [list_errors("500")] * 100
        await second.on.turn()
        assert (second.pager.states(), first.pager.incidents) == (["open"], {})
        await second.on.turn()
        assert len(second.pager.incidents) == 1

    with_redis(main)


def test_alert_storm_causes_no_failover(play):
    """The storm queue delays the incident intentionally."""

    async def body(scene):
        await scene.fire()
        await scene.changed(held_since=1, retry_at=0, condition="", intent=None, attempts=0)
        await scene.on.turn()
        assert scene.pager.incidents == {}

    play(body, LATER)


def test_stand_in_named_by_the_rule_opens_once(play):
    async def body(scene):
        scene.down.before = [list_errors("500")] * 100
        targets = [decisions.Target("on-call", {"name": "Down"}), decisions.Target("pager", {"title": "Own words"})]
        await scene.on.deliver(workers.firing(), response=workers.rule(*targets))
        await scene.on.turn()
        assert list_contents(scene.pager) == [{"title": "Own words"}]
        assert (await scene.get_publications())["on-call"].delay.announced_at

    play(body)


def test_stand_in_named_later_gets_the_rule_s_text(play):
    async def body(scene):
        await scene.fire()
        targets = [decisions.Target("on-call", {"name": "Down"}), decisions.Target("pager", {"title": "Own words"})]
        await scene.on.deliver(workers.firing("f2"), response=workers.rule(*targets))
        await scene.on.turn()
        assert list_contents(scene.pager) == [{"title": "Own words"}]

    play(body)


def test_alert_title_is_used_without_a_rule_title(play):
    async def body(scene):
        await scene.fire(name="", summary="")
        assert list_contents(scene.pager) == [{"title": "f1 is down"}]

    play(body)


def test_failing_stand_in_is_retried(play):
    async def body(scene):
        scene.pager.before = [vendor.temporary()] * 2
        await scene.fire()
        await scene.on.wait_until(lambda: scene.pager.states() == ["open"])
        assert len(scene.pager.calls) == 3

    play(body)


def test_killed_worker_opens_one_stand_in(play, with_redis):
    """The worker dies after it has recorded the intent to open the stand-in, and before it has recorded the result."""

    class Killed(BaseException):
        pass

    async def main(store):
        passed = []

        def die(point):
            passed.append(point)
            if scene.pager.incidents and point == "after-call":
                raise Killed

        scene = Scene(store, passed=die)
        with pytest.raises(Killed):
            await scene.fire()
        assert scene.pager.states() == ["open"]
        successor = Scene(store)
        successor.pager.incidents, successor.pager.by_key = scene.pager.incidents, scene.pager.by_key
        successor.down.before = [list_errors("500")] * 100
        await store.redis.hset(keys.publications("down"), "until", 0)
        await store.redis.zadd(keys.timers(keys.shard("down")), {"down": 0})
        await successor.on.wait_until_async(lambda: _is_open(successor))
        assert successor.pager.states() == ["open"]

    with_redis(main)


async def _is_open(scene) -> bool:
    known = await scene.get_publications()
    return "pager" in known and known["pager"].state == "open"


async def list_announced(scene) -> list[events.Event]:
    return [event.event for event in await scene.on.notifications.events("down", -1)]


def test_notifiers_receive_the_delay_and_the_recovery_once(play):
    async def body(scene):
        await scene.fire()
        await scene.is_back()
        await scene.on.turn()
        announced = await list_announced(scene)
        (delayed,) = [one for one in announced if isinstance(one, events.PublicationDelayed)]
        assert (delayed.destination, delayed.failover) == ("on-call", ("pager",))
        assert "no answer" in delayed.problem
        (recovered,) = [one for one in announced if isinstance(one, events.PublicationRecovered)]
        assert recovered.url.startswith("https://vendor.example/")

    play(body, announces=True)


def test_delay_is_counted_and_in_the_timeline(play):
    async def body(scene):
        before = vendors.metric_value("incident_router_failovers_total", destination="on-call")
        await scene.fire()
        assert vendors.metric_value("incident_router_failovers_total", destination="on-call") == before + 1
        texts = [event.text for event in await scene.on.incidents.timeline("down")]
        assert "At on-call: not opened for 0 s. Its failover announces it. It is opened at pager instead." in texts

    play(body)
