"""DevHelm's maintenance windows are read as silences and never changed."""

import asyncio
import datetime as dt
import itertools

import pytest

from router import configuration
from router.bootstrap import factories, silence_imports
from router.domain import alerts, silences
from router.outbound import call_policy, errors
from router.worker import silencing
from tests.end_to_end import harness
from tests.integration import workers

MONITOR = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
OTHER = "16fd2706-8baf-433b-82eb-8c7fada847da"
PLANNED = "/api/v1/maintenance-windows"


def create_window(at: harness.Vendors, begins: int = -60, lasts: int = 3600, **more) -> None:
    """Create a maintenance window that begins in ``begins`` seconds, like a user at DevHelm."""
    begin = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=begins)
    body = {"startsAt": begin.isoformat(), "endsAt": (begin + dt.timedelta(seconds=lasts)).isoformat(), **more}
    code, _ = harness.ask(f"{at.url}/devhelm{PLANNED}", body, "a person's key")
    assert code == 201


def make_alert(monitor: str = MONITOR) -> alerts.Alert:
    return alerts.Alert("devhelm", monitor, "firing", 1, 0, labels={"monitor_id": monitor})


def import_sources(tmp_path, at: harness.Vendors) -> list[tuple[str, silencing.Imported]]:
    file = harness.configure(tmp_path, at)
    file.write_text(file.read_text() + "silences: {devhelm: [devhelm], poll_interval: 1s}\n")
    loaded = configuration.load(file, {"KEY": "k", "WEBHOOK_TOKEN": harness.TOKEN})
    return silence_imports.silences(loaded, factories.clock, lambda _: Unlimited())


class Unlimited:
    async def admit(self, turn: call_policy.Turn) -> call_policy.Admission:
        assert turn.floor > 0  # Imports leave calls for urgent operations.
        return call_policy.Admission(0.0)

    async def pause(self, seconds: float, _endpoint: str) -> None:
        assert seconds > 0


def list_imported(tmp_path, at: harness.Vendors) -> list[silences.Silence]:
    async def ask() -> list[silences.Silence]:
        (one,) = import_sources(tmp_path, at)
        try:
            return await one[1]()
        finally:
            await one[1].args[0].aclose()

    return asyncio.run(ask())


def test_maintenance_window_silences_its_monitors(tmp_path):
    """A window without monitors silences all monitors."""
    with harness.vendors() as at:
        create_window(at, monitorId=MONITOR, reason="new disks")
        create_window(at, begins=600, reason="everything")
        create_window(at, monitorId=OTHER, suppressAlerts=False)
        create_window(at, begins=-7200, lasts=60, monitorId=OTHER)
        found = {silence.comment: silence for silence in list_imported(tmp_path, at).silences}
    assert found.keys() == {"new disks", "everything"}
    now = factories.clock()
    one, everything = found["new disks"], found["everything"]
    assert (one.state(now), everything.state(now)) == ("active", "pending")
    assert (one.author, one.source) == ("DevHelm's maintenance", "devhelm")
    silenced = silences.Silencer([one])
    assert silenced.mute(make_alert(), now)
    assert silenced.mute(make_alert(OTHER), now) is None
    later = now + 700_000_000
    all_of_them = silences.Silencer([everything])
    assert all_of_them.mute(make_alert(OTHER), later)
    assert all_of_them.mute(make_alert("4711"), later) is None  # Another vendor's monitor.
    assert all_of_them.mute(workers.firing(), later) is None


def test_maintenance_import_only_reads(tmp_path):
    """A refusal fails the import."""
    with harness.vendors() as at:
        assert list_imported(tmp_path, at).silences == []
        assert {call["method"] for call in at.calls(path=PLANNED)} == {"GET"}
        at.fault(vendor="devhelm", action="503", path=PLANNED, count=10)
        with pytest.raises(errors.Temporary):
            list_imported(tmp_path, at)


def test_last_windows_stay_active_during_vendor_outage(tmp_path, with_redis):
    with harness.vendors() as at:
        create_window(at, monitorId=MONITOR, reason="new disks")

        async def body(store):
            others = import_sources(tmp_path, at)
            muting = silencing.SilenceService(store, others)
            for _ in range(2):
                await muting.import_all()
                assert (
                    "of DevHelm's maintenance: new disks" in muting(workers.route(make_alert()), factories.clock()).by
                )
                at.fault(vendor="devhelm", action="500", path=PLANNED)
            await others[0][1].args[0].aclose()

        with_redis(body)


RULES = """
rules:
  - {name: monitors, when: {labels.monitor_id: {exists: true}}, group_by: [labels.monitor_id, labels.attempt],
     open: [{at: on-call, name: "{{ alert.labels.monitor_id }} is down"}]}
"""


def test_alert_under_maintenance_opens_nothing(tmp_path):
    """Alerts of other monitors open incidents."""
    attempts = itertools.count()

    def is_muted() -> bool:
        attempt = str(next(attempts))
        router.send_alert(dedup_key=attempt, labels={"monitor_id": MONITOR, "attempt": attempt})
        key = f'monitors{{labels.monitor_id="{MONITOR}",labels.attempt="{attempt}"}}'
        return "DevHelm's maintenance: new disks" in router.command("incidents", "show", key).stdout

    def opened() -> list[str]:
        return [call["body"]["name"] for call in at.calls("POST", "/incidents") if "is down" in str(call["body"])]

    with harness.vendors() as at:
        create_window(at, monitorId=MONITOR, reason="new disks")
        file = harness.configure(tmp_path, at, rules=RULES)
        file.write_text(file.read_text() + "silences: {devhelm: [devhelm-page], poll_interval: 1s}\n")
        with harness.router(tmp_path, file) as router:
            harness.eventually("the alert is muted", is_muted)
            before = opened()
            router.send_alert(dedup_key="b", labels={"monitor_id": OTHER})
            harness.eventually("the other monitor's incident opens", lambda: f"{OTHER} is down" in opened())
            assert [name for name in opened() if MONITOR in name] == before


def test_windows_are_read_only_from_their_vendor(tmp_path):
    file = tmp_path / "router.yaml"
    file.write_text(
        "silences: {devhelm: [devhelp, on-call], incident_io: {devhelm: {Service: service}}}\n"
        "destinations:\n  devhelm: {kind: devhelm, api_key: k}\n  on-call: {kind: incident-io, api_key: k}\n"
    )
    with pytest.raises(configuration.InvalidConfiguration) as refused:
        configuration.load(file, {})
    assert 'unknown destination "devhelp"; did you mean "devhelm"?' in str(refused.value)
    assert '"on-call" is not an account at DevHelm' in str(refused.value)
    assert '"devhelm" is not an account at incident.io' in str(refused.value)
