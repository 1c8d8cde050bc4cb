"""Unreadable deliveries may hide an outage, so the router reports them in an incident."""

import random

import pytest

from router import configuration
from router.bootstrap import self_reports
from router.domain import severities
from router.store import incidents
from router.worker import self_alerts, self_monitor
from tests.integration import workers
from tests.integration.worker.test_self_report import MINUTE, NOW, PLACES

KEY = 'incident-router{source="prod"}'


class Scene:
    """A worker's reports on a real server."""

    def __init__(self, store, *destinations: str, **wanted) -> None:
        self.stage = workers.WorkerHarness(store)
        self.store = store
        self.own = self_monitor.SelfMonitor(
            self_monitor.SelfMonitorSettings(
                of_unreadable=destinations, unreadable=self_alerts.UnreadableReportSettings(**wanted)
            ),
            PLACES,
            self.stage.performer.breakers,
            store=self.store,
            storms=self.stage.storms,
            randomness=random.Random(2),
        )

    async def keep(self, at: int, problem: str = "version: missing", source: str = "prod") -> None:
        await self.store.quarantine.add(source, b"body", {}, problem, at)

    async def turn(self, now: int) -> incidents.incidents.Incident:
        await self.own.turn(now)
        await self.stage.fold()
        return (await self.store.incidents.read([KEY]))[KEY].incident

    async def text(self) -> str:
        held = (await self.store.incidents.read([KEY]))[KEY].incident
        (target,) = held.response.targets
        return target.fields.get("summary") or target.fields["body"]


def test_unreadable_deliveries_open_one_incident(with_redis):
    """The incident names the source, the number of deliveries, and the first problem."""

    async def play(store):
        scene = Scene(store, "on-call", severity=severities.Severity.CRITICAL)
        await scene.keep(NOW)
        await scene.keep(NOW + 1, "another problem")
        opened = await scene.turn(NOW + 2)
        assert (opened.status, opened.severity) == ("open", severities.Severity.CRITICAL)
        assert "incident-router: deliveries from prod can't be read" in opened.opening_alert.title
        for part in ('At least 2 deliveries from source "prod"', "First problem: version: missing", "quarantine list"):
            assert part in await scene.text()
        for more in range(60):
            await scene.keep(NOW + MINUTE + more)
        again = await scene.turn(NOW + 2 * MINUTE)
        assert again.generation == 1
        assert "At least 50 deliveries" in await scene.text()

    with_redis(play)


def test_incident_ends_without_further_unreadable_deliveries(with_redis):
    """The next unreadable delivery opens a new incident."""

    async def play(store):
        scene = Scene(store, "on-call", resolve_after=30 * MINUTE)
        await scene.keep(NOW)
        assert (await scene.turn(NOW + 29 * MINUTE)).status == "open"
        assert (await scene.turn(NOW + 30 * MINUTE)).status == "closed"
        await scene.keep(NOW + 31 * MINUTE, "a new problem")
        assert (await scene.turn(NOW + 32 * MINUTE)).generation == 2
        assert 'A delivery from source "prod"' in await scene.text()
        assert "a new problem" in await scene.text()

    with_redis(play)


def test_each_source_has_its_own_incident(with_redis):
    """The configured delay applies."""

    async def play(store):
        scene = Scene(store, "on-call", after=5 * MINUTE)
        await scene.keep(NOW)
        await scene.keep(NOW, source="other")
        assert (await scene.turn(NOW + 4 * MINUTE)).status == "closed"
        assert (await scene.turn(NOW + 5 * MINUTE)).status == "open"
        other = 'incident-router{source="other"}'
        assert (await scene.store.incidents.read([other]))[other].incident.status == "open"

    with_redis(play)


@pytest.mark.parametrize("destinations", [(), ("on-call",)])
def test_refused_deliveries_are_reported_if_configured(with_redis, destinations):
    async def play(store):
        scene = Scene(store, *destinations)
        await scene.store.quarantine.count_refused("prod", "the body is longer than the limit of 16777216 bytes", NOW)
        assert (await scene.turn(NOW)).status == ("open" if destinations else "closed")

    with_redis(play)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("{destinations: [on-call]}", ("on-call",)),
        ("{destinations: [on-call], unreadable: {destinations: [second]}}", ("second",)),
        ("{unreadable: {destinations: [second]}}", ("second",)),
        ("{}", ()),
    ],
)
def test_unreadable_deliveries_are_reported_like_other_failures(tmp_path, said, expected):
    """A setting can name other destinations."""
    file = tmp_path / "router.yaml"
    one = "{kind: incident-io, api_key: {env: KEY}}"
    file.write_text(f"self_report: {said}\ndestinations: {{on-call: {one}, second: {one}}}\n")
    assert self_reports._monitor_settings(configuration.load(file, {"KEY": "k"})).of_unreadable == expected


def test_unknown_report_destination_is_refused(tmp_path):
    file = tmp_path / "router.yaml"
    file.write_text(
        "self_report: {unreadable: {destinations: [on-cal]}}\n"
        "destinations: {on-call: {kind: incident-io, api_key: {env: KEY}}}\n"
    )
    with pytest.raises(
        configuration.InvalidConfiguration,
        match=r'router\.yaml:1:43: unknown destination "on-cal"; did you mean "on-call"',
    ):
        configuration.load(file, {"KEY": "k"})
