"""Alerts are inhibited while another incident fires. Alerts that still fire afterwards open incidents."""

import msgspec
import pytest

from router.domain import decisions, severities, silences
from router.domain.alerts import Alert, Status
from router.dry_run import simulation
from router.rules import load
from router.worker import aggregator
from tests.integration import workers

RULES = [
    {"name": "region-lost", "when": {"labels.alertname": "RegionLost"}, "group_by": ["labels.region"], "open": []},
    {
        "name": "service-down",
        "when": {"labels.alertname": "ServiceDown"},
        "group_by": ["labels.service"],
        "inhibited_by": ["region-lost"],
        "open": [],
    },
]
LOST_EU = 'region-lost{labels.region="eu"}'


@pytest.fixture(scope="module")
def rules():
    return load.build(RULES, {})


def make_alert(name: str, status: Status = "firing", **labels: str) -> Alert:
    ends_at = 5 if status == "resolved" else 0
    fingerprint = f"{name}/{sorted(labels.items())}"
    return Alert("am", fingerprint, status, 1, ends_at, title=name, labels={"alertname": name, **labels})


def test_inhibition_matches_incidents_by_shared_values(rules):
    decided = rules.decide(make_alert("ServiceDown", service="shop", region="eu"), 0)
    assert decided.while_open == (LOST_EU,)
    assert rules.decide(make_alert("ServiceDown", service="shop"), 0).while_open == ('region-lost{labels.region=""}',)
    assert rules.decide(make_alert("RegionLost", region="eu"), 0).while_open == ()


def test_inhibition_uses_values_of_the_alert():
    lost = {**RULES[0], "when": {"labels.alertname": "RegionLost", "labels.region": "eu"}}
    made = load.build([lost, RULES[1]], {})
    assert made.decide(make_alert("RegionLost", region="eu"), 0).incident_key == LOST_EU
    assert made.decide(make_alert("ServiceDown", region="us"), 0).while_open == ('region-lost{labels.region="us"}',)
    assert made.decide(make_alert("ServiceDown", region="eu"), 0).while_open == (LOST_EU,)


def test_ungrouped_rule_inhibits_by_one_incident():
    made = load.build([{**RULES[0], "group_by": []}, RULES[1]], {})
    assert made.decide(make_alert("ServiceDown", service="a"), 0).while_open == ("region-lost",)


class Scene:
    """A worker whose alerts are decided by the rules."""

    def __init__(self, on: workers.WorkerHarness, rules) -> None:
        self.on = on
        self._rules = rules

    async def receive(self, *alerts: Alert) -> None:
        for alert in alerts:
            await self.on.deliver_decided(alert, self._rules.decide(alert, 0))
        await self.on.turn()

    async def status(self, key: str) -> str:
        return (await self.on.incident(key)).status


DOWN = 'service-down{labels.service="shop"}'


def test_inhibited_alert_opens_after_inhibition_ends(with_redis, rules, monkeypatch):
    monkeypatch.setattr(silences, "RECHECK", 20_000)

    async def play(on):
        scene = Scene(on, rules)
        await scene.receive(make_alert("RegionLost", region="eu"))
        await scene.receive(make_alert("ServiceDown", service="shop", region="eu"))
        assert await scene.status(DOWN) == "closed"
        assert f"by incident {LOST_EU}" in (await on.incidents.timeline(DOWN))[-1].text
        await scene.receive(make_alert("RegionLost", "resolved", region="eu"))

        async def heard():
            return await scene.status(DOWN) == "open"

        await on.wait_until_async(heard)
        assert (await on.incident(DOWN)).muted == {}

    workers.run(with_redis, play)


def test_inhibiting_alert_may_be_in_same_delivery(with_redis, rules):
    async def play(on):
        down = make_alert("ServiceDown", service="shop", region="eu")
        for one in (down, make_alert("RegionLost", region="eu")):
            await on.deliver_decided(one, rules.decide(one, 0))
        await on.turn()
        assert (await on.incident(DOWN)).status == "closed"
        assert (await on.incident(LOST_EU)).status == "open"

    workers.run(with_redis, play)


def test_inhibition_spares_other_regions_and_open_incidents(with_redis, rules):
    async def play(on):
        scene = Scene(on, rules)
        await scene.receive(make_alert("ServiceDown", service="early", region="eu"))
        await scene.receive(make_alert("RegionLost", region="eu"))
        await scene.receive(make_alert("ServiceDown", service="shop", region="us"))
        assert await scene.status(DOWN) == "open"
        assert await scene.status('service-down{labels.service="early"}') == "open"

    workers.run(with_redis, play)


def test_alert_resolved_while_inhibited_opens_nothing(with_redis, rules):
    async def play(on):
        scene = Scene(on, rules)
        await scene.receive(
            make_alert("RegionLost", region="eu"), make_alert("ServiceDown", service="shop", region="eu")
        )
        await scene.receive(make_alert("ServiceDown", "resolved", service="shop", region="eu"))
        await scene.receive(make_alert("RegionLost", "resolved", region="eu"))
        assert (await on.incident(DOWN)).generation == 0
        assert (await on.incident(DOWN)).muted == {}

    workers.run(with_redis, play)


def test_simulation_applies_inhibition(rules):
    played = simulation.Simulation(rules.decide, {}, workers.render, now=1_000_000)
    played.arrive([make_alert("RegionLost", region="eu")])
    played.arrive([make_alert("ServiceDown", service="shop", region="eu")])
    assert played.incidents[DOWN].status == "closed"
    played.arrive([make_alert("RegionLost", "resolved", region="eu")])
    played.move_to(1_000_000 + silences.RECHECK)
    assert played.incidents[DOWN].status == "open"


def decide_support(_: Alert, *keys: str) -> decisions.Decision:
    """Return a decision that ignores an alert, except that the alert supports inhibition keys."""
    return decisions.Decision(ignored="it only inhibits", inhibits=keys)


def target(_: Alert, *keys: str) -> decisions.Decision:
    return decisions.Decision("shop", severities.Severity.MAJOR, workers.rule(), while_open=keys)


EU = 'inhibit:region{labels.region="eu"}'


def test_ignored_alert_inhibits_until_it_resolves(with_redis):
    """Every rule ignores the inhibiting alert, so it has no incident."""

    async def play(on):
        lost, down = make_alert("RegionLost", region="eu"), make_alert("ShopDown", region="eu")
        await on.deliver_decided(lost, decide_support(lost, EU))
        await on.turn()
        await on.deliver_decided(down, target(down, EU))
        await on.turn()
        (muted,) = (await on.incident("shop")).muted.values()
        assert (muted.kind, muted.by) == ("inhibition", 'inhibition rule region{labels.region="eu"}')
        assert await on.incidents.names() == ["shop"], "a placeholder of a key isn't listed"
        over = make_alert("RegionLost", "resolved", region="eu")
        await on.deliver_decided(over, decide_support(over, EU))
        await on.turn()
        assert await aggregator.find_firing(on.store, {EU}) == set()

    workers.run(with_redis, play)


def test_inhibiting_alert_has_its_own_incident(with_redis):
    async def play(on):
        lost = make_alert("RegionLost", region="eu")
        decided = decisions.Decision(
            "region", severities.Severity.MAJOR, workers.rule(), inhibits=(EU, "inhibit:other")
        )
        await on.deliver_decided(lost, decided)
        await on.turn()
        assert (await on.incident("region")).firing == [lost.identity]
        assert await aggregator.find_firing(on.store, {EU, "inhibit:other"}) == {EU, "inhibit:other"}
        over = make_alert("RegionLost", "resolved", region="eu")
        await on.deliver_decided(over, decided)
        await on.turn()
        assert (await on.incident("region")).status == "closed"
        assert await aggregator.find_firing(on.store, {EU, "inhibit:other"}) == set()

    workers.run(with_redis, play)


def test_silenced_alert_still_inhibits(with_redis):
    async def play(on):
        lost, down = make_alert("RegionLost", region="eu"), make_alert("ShopDown", region="eu")
        now = await on.redis_now()
        await on.store.silences.save(
            silences.Silence("s", (silences.matcher("alertname=RegionLost"),), now, now + 3_600_000_000, "ann")
        )
        await on.mutes.refresh()
        decided = decisions.Decision("region", severities.Severity.MAJOR, workers.rule(), inhibits=(EU,))
        await on.deliver_decided(lost, decided)
        await on.deliver_decided(down, target(down, EU))
        await on.turn()
        assert (await on.incident("region")).generation == 0
        assert [one.kind for one in (await on.incident("shop")).muted.values()] == ["inhibition"]

    workers.run(with_redis, play)


def test_cause_during_the_hold_inhibits_the_alert(with_redis):
    async def play(on):
        lost, down = make_alert("RegionLost", region="eu"), make_alert("ShopDown", region="eu")
        held = msgspec.structs.replace(workers.rule(), timing=decisions.Timing(open_after=300_000))
        decided = decisions.Decision("shop", severities.Severity.MAJOR, held, while_open=(EU,))
        await on.deliver_decided(down, decided)
        await on.deliver_decided(lost, decide_support(lost, EU))
        await on.turn()
        await on.wait_until_async(lambda: _is_muted(on))
        assert (await on.incident("shop")).generation == 0

    async def _is_muted(on) -> bool:
        return bool((await on.incident("shop")).muted)

    workers.run(with_redis, play)


def test_time_window_mutes_until_its_end(with_redis):
    async def play(on):
        async def mute(length):
            now = await on.redis_now()
            name, window = f"shop{length}", (now - 1_000_000, now + length, "night")
            decided = decisions.Decision(name, severities.Severity.MAJOR, workers.rule(), mute_windows=(window,))
            await on.deliver_decided(make_alert("ShopDown", region=name), decided)
            await on.turn()
            return name, window, (await on.incident(name)).muted

        (name, window, muted), _ = await workers.run_in_window(on.store, mute)
        (found,) = muted.values()
        assert (found.kind, found.by, found.until) == ("window", "time window night", window[1])

        async def is_open() -> bool:
            return (await on.incident(name)).status == "open"

        await on.wait_until_async(is_open)
        assert (await on.incident(name)).opened_at >= window[1]

    workers.run(with_redis, play)
