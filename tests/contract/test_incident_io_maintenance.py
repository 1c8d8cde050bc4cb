"""incident.io's maintenance windows are silences. An incomplete window mutes nothing and is reported."""

import asyncio

import pytest

from router import configuration
from router.bootstrap import silence_imports
from router.destinations.incident_io import account, config, maintenance
from router.domain import alerts, silences
from router.simulator.incident_io.maintenance import Window
from tests.contract import sdks
from tests.unit.destinations import scripted

HOUR = 3_600_000_000
LABELS = {"Service": "service", "Environment": "env"}


@pytest.fixture
def vendor(simulator):
    one = simulator.app.state.vendors["incident-io"]
    one.reset()
    yield one
    one.reset()


def import_silences(simulator):
    async def main():
        given = config.IncidentConfig(api_key=scripted.SECRET, base_url=f"{simulator.url}/incident-io")
        http = account.connect("io", given, lambda: scripted.OPENED_AT)
        try:
            return await maintenance.read_silences(http, "io", LABELS)
        finally:
            await http.aclose()

    return asyncio.run(main())


def plan(vendor, *groups, begins=-HOUR, lasts=2 * HOUR, **more):
    now = vendor._options.clock()
    number = len(vendor.windows.known)
    window = Window(f"w{number}", f"Window {number}", now + begins, now + begins + lasts, groups, more)
    vendor.windows.known.append(window)


def list_muting(found, now, **labels):
    alert = alerts.Alert("json", "f", "firing", 1, 0, labels=labels)
    return [silence.id for silence in found.silences if silences.Silencer([silence]).mute(alert, now) is not None]


def test_window_mutes_alerts_matching_a_whole_group(simulator, vendor):
    plan(
        vendor,
        [("Service", "one_of", ["Card payments (EU)", "Search"]), ("Environment", "is_set", [])],
        [("Environment", "not_one_of", ["prod"])],
    )
    found, now = import_silences(simulator), vendor._options.clock()
    assert found.skipped == {}
    assert list_muting(found, now, service="Card payments (EU)", env="prod") == ["w0-1"]
    assert list_muting(found, now, service="01LITERAL1", env="prod") == ["w0-1"]
    assert list_muting(found, now, service="Card payments", env="prod") == []
    assert list_muting(found, now, service="Search") == []
    assert list_muting(found, now, service="Other", env="test") == ["w0-2"]
    assert list_muting(found, now, service="Other") == []


def test_future_windows_are_imported_and_past_ones_skipped(simulator, vendor):
    covered = [("Service", "one_of", ["Search"])]
    for begins in (-HOUR, HOUR, -5 * HOUR):
        plan(vendor, covered, begins=begins)
    assert [silence.id for silence in import_silences(simulator).silences] == ["w1", "w0"]


@pytest.mark.parametrize(
    ("groups", "more", "why"),
    [
        ([], {}, "has no conditions"),
        ([[]], {}, "has no conditions"),
        ([[("Service", "one_of", ["Search"])], []], {}, "has no conditions"),
        ([[("Team", "one_of", ["Shop"])]], {}, 'no label is configured for the attribute "Team"'),
        ([[("Service", "one_of", ["Search"]), ("Team", "is_set", [])]], {}, '"Team"'),
        ([[("Service", "contains", ["Search"])]], {}, 'the operation "contains"'),
        ([[("Service", "one_of", [])]], {}, "has no values"),
        ([[("Service", "one_of", ["Search"])]], {"escalation_targets": [{}]}, "escalated"),
    ],
)
def test_partly_unreadable_window_mutes_nothing(simulator, vendor, groups, more, why):
    plan(vendor, *groups, **more)
    found = import_silences(simulator)
    assert found.silences == []
    assert why in found.skipped["w0"]


def test_archived_window_is_not_imported(simulator, vendor):
    plan(vendor, [("Service", "one_of", ["Search"])], archived_at="2026-01-01T00:00:00Z")
    assert import_silences(simulator) == silences.Imported([])


def test_simulator_lists_windows_as_the_sdk_reads_them(vendor):
    plan(vendor, [("Service", "one_of", ["Search"])])
    answer = {"maintenance_windows": [vendor.windows.known[0].answer()], "pagination_meta": {"page_size": 25}}
    (window,) = sdks.incident_io_models.MaintenanceWindowsListResultV1.from_dict(answer).maintenance_windows
    (condition,) = window.alert_condition_groups[0].conditions
    assert (condition.subject.label, condition.operation.value) == ("Service", "one_of")


def test_windows_of_a_configured_account_are_imported(simulator, vendor, tmp_path):
    plan(vendor, [("Service", "one_of", ["Search"])])
    file = tmp_path / "router.yaml"
    file.write_text(
        "silences: {incident_io: {io: {Service: service}}}\n"
        "destinations:\n"
        f"  io: {{kind: incident-io, api_key: {scripted.SECRET}, base_url: '{simulator.url}/incident-io'}}\n"
    )
    made = silence_imports.silences(configuration.load(file, {}), lambda: scripted.OPENED_AT, lambda _: None)
    ((called, ask),) = made

    async def main():
        try:
            return await ask()
        finally:
            await ask.args[0].aclose()

    assert called == "maintenance at io"
    assert [silence.id for silence in asyncio.run(main()).silences] == ["w0"]
