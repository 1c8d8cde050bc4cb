"""One incident of the router reports an alert storm, counts the queued incidents, and ends with the storm."""

import pytest

from router import configuration
from router.store import keys
from router.worker import self_alerts, self_monitor, storm_control
from tests.integration import alert_storms, workers


class Parent:
    """The storm report and two vendors with separate accounts."""

    def __init__(self, scene: alert_storms.StormHarness, *destinations: str) -> None:
        self.scene = scene
        self.on = scene.on
        self.at = {place.name: place for place in scene.places}
        self.own = self_monitor.SelfMonitor(
            self_monitor.SelfMonitorSettings((), destinations), self.at, scene.on.performer.breakers,
            store=scene.on.store, storms=scene.on.storms, randomness=workers.NoJitter(),
        )  # fmt: skip

    async def turn(self) -> None:
        await self.own.turn(self.on.redis_time())
        await self.on.turn()

    def texts(self) -> list[str]:
        """Return the texts and the status of the parent at the vendor. At most one parent exists."""
        found = self.scene.pager.incidents.values()
        return [
            f"{incident['state']} {incident['content'].fields['body']}"
            for incident in found
            if "body" in incident["content"].fields
        ]


def test_storm_incident_opens_and_ends_with_storm(with_redis):
    """The storm incident shows the number of queued incidents."""

    async def play(scene):
        parent = Parent(scene, "on-call")
        await parent.turn()
        assert parent.texts() == []
        await scene.fire("a", "b", "c")
        await parent.turn()
        await parent.turn()
        assert [text.partition(" are queued;")[0] for text in parent.texts()] == [
            "open More incidents were due to open than are allowed per window. At least 1"
        ]
        await scene.fire("d", "e", "f", "g")
        await parent.turn()
        assert "At least 5 are queued" in parent.texts()[0]
        await scene.fire("c", "d", "e", "f", "g", resolved=True)
        await parent.turn()
        assert "open" in parent.texts()[0]
        assert "The queue is empty" in parent.texts()[0]
        await scene.store.redis.hset(keys.STORM, "last", await scene.on.redis_now() - workers.HOUR)
        await parent.turn()
        assert [text.partition(" ")[0] for text in parent.texts()] == ["resolved"]
        assert scene.opened() == ["a", "b", "incident-router:"]

    alert_storms.run(with_redis, play)


def test_second_storm_opens_a_new_incident(with_redis):
    """The worker's clock is ahead."""

    async def play(scene):
        parent = Parent(scene, "on-call")
        for name in ("c", "d"):
            await scene.fire("a", "b", name)
            await parent.own.turn(scene.on.redis_time() + workers.HOUR)
            await scene.on.turn()
            await scene.fire(name, resolved=True)
            await scene.store.redis.hset(keys.STORM, "last", await scene.on.redis_now() - workers.HOUR)
            await parent.own.turn(scene.on.redis_time() + workers.HOUR)
            await scene.on.turn()
        assert [text.partition(" ")[0] for text in parent.texts()] == ["resolved", "resolved"]

    alert_storms.run(with_redis, play)


def test_unchanged_storm_report_is_not_rewritten(with_redis):
    async def play(scene):
        parent = Parent(scene, "on-call")
        await scene.fire("a", "b", "c")
        await parent.turn()
        versions = []
        for _ in range(3):
            await parent.turn()
            held = await scene.on.incidents.read([self_alerts.STORM.key])
            versions.append(held[self_alerts.STORM.key].version)
        assert len(set(versions)) == 1

    alert_storms.run(with_redis, play)


def test_queue_is_checked_every_second(with_redis):
    async def play(scene):
        parent = Parent(scene)
        await scene.fire("a", "b", "c")
        await scene.store.redis.delete(keys.ADMITTED)
        await parent.own.admit()
        await scene.on.turn()
        assert scene.opened() == ["a", "b", "c"]

    alert_storms.run(with_redis, play)


def test_storm_incident_ends_when_disabled(with_redis):
    async def play(scene):
        parent = Parent(scene, "on-call")
        await scene.fire("a", "b", "c")
        await parent.turn()
        scene.on.storms = storm_control.StormControl(scene.on.store, None)
        await Parent(scene).turn()
        assert parent.texts()[0].startswith("resolved")

    alert_storms.run(with_redis, play)


def test_storm_destination_must_exist_and_be_internal(tmp_path):
    file = tmp_path / "router.yaml"
    file.write_text(
        "storm: {destinations: [on-cal, page], max_incidents: 0, window: 0}\n"
        "destinations:\n  page: {kind: incident-io-status-page, api_key: {env: KEY}, page: Acme}\n"
    )
    with pytest.raises(configuration.InvalidConfiguration) as refused:
        configuration.load(file, {"KEY": "k"})
    assert '"max_incidents": must be greater than or equal to 1' in str(refused.value)
    assert '"window": must be greater than 0' in str(refused.value)
    file.write_text(file.read_text().replace(", max_incidents: 0, window: 0", ""))
    with pytest.raises(configuration.InvalidConfiguration) as refused:
        configuration.load(file, {"KEY": "k"})
    assert 'unknown destination "on-cal"' in str(refused.value)
    assert '"page" is public: customers would see it' in str(refused.value)
