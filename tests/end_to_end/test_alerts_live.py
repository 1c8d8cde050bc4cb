"""The chart's alerts fire and resolve in a real Prometheus while a real web and worker fail and recover.

The windows and ``for`` times are shortened. Two alerts need hours or a slow worker: ``promtool`` tests
``IncidentRouterNoDeliveries`` and ``IncidentRouterInboxLag`` instead.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from router.store import embedded, keys
from tests import ports
from tests.chart import promql
from tests.end_to_end import commands, harness, prometheus, test_sources

pytestmark = [pytest.mark.debian("prometheus"), pytest.mark.debian("prometheus-alertmanager")]

PLAYED_BY_PROMTOOL = {"IncidentRouterNoDeliveries", "IncidentRouterInboxLag"}
WINDOW = "10s"
FOR = re.compile(r"for: \w+")
RANGE = re.compile(r"(?<=\[)\w+(?=\])|(?<=offset )\w+")
LIVES = "<= 60", "<= 5"  # Seconds since the worker's last round.
SETTINGS = """
storm: {max_incidents: 4, window: 10s, destinations: [devhelm]}
quarantine: {max_bytes: 1KiB}
"""
PAGES = "pages: {min_update_interval: 0s}", "pages: {min_update_interval: 0s, automatic_posts: {max: 2, window: 1h}}"
POLLED = "alertmanager: {kind: alertmanager, "
RULES = """
rules:
  - name: any-service
    when: {labels.service: {exists: true}}
    group_by: [labels.service]
    open:
      - {at: on-call, name: "Down"}
      - {at: devhelm, title: "Down"}
      - {at: devhelm-page, publish: auto, title: Unavailable, message: We are investigating.}
"""
IGNORED = {"title": "Down", "status": "firing", "dedup_key": "ignored", "labels": {"no": "rule"}}
GROUP = {"version": "4", "status": "firing", "alerts": []}
MUCH = 600  # Characters. Two bodies exceed the size of the quarantine.


def write_shortened_alerts() -> str:
    """Return the chart's alerts with times shortened to seconds."""
    text = promql.ALERTS.read_text()
    assert LIVES[0] in text
    text = FOR.sub("for: 1s", text).replace(*LIVES)
    return "\n".join(RANGE.sub(WINDOW, line) for line in text.splitlines())


class Stage:
    """A web and a worker at fixed ports, their Redis and vendors, and a Prometheus that scrapes them."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.at = stack.enter_context(harness.vendors())
        self.file = harness.configure(folder, self.at, rules=RULES)
        self.polled = ports.reserve()
        poll = f'poll: {{url: "http://127.0.0.1:{self.polled}", every: 1s}}, '
        text = self.file.read_text().replace(*PAGES).replace(POLLED, POLLED + poll) + SETTINGS
        self.file.write_text(text)
        self.valkey = stack.enter_context(embedded.running(folder / "valkey"))
        self.redis = stack.enter_context(contextlib.closing(redis.Redis.from_url(self.valkey.url)))
        self.environment = {**harness.SECRETS, "REDIS_URL": self.valkey.url}
        self.ports = {"web": ports.reserve(), "worker": ports.reserve()}
        self.port = ports.reserve()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[str, harness.Process] = {}
        self.start("web")
        self.start("worker")
        self.watching = stack.enter_context(
            prometheus.run_prometheus(folder, write_shortened_alerts(), self.ports.values())
        )

    def start(self, role: str) -> None:
        command = [harness.COMMAND, role, "--config", str(self.file), "--health-port", str(self.ports[role])]
        command += ["--port", str(self.port), "--console-port", "0"] if role == "web" else []
        process = harness.Process(command, self.folder, role, forked=True, **self.environment)
        self._stack.callback(process.stop)
        process.wait_for_output(harness.STARTED)
        self.processes[role] = process

    def stop(self, role: str) -> None:
        self.processes[role].stop()

    def post(self, body: object, source: str = "json", token: str = harness.TOKEN) -> int:
        return harness.ask(f"{self.url}/v1/webhooks/{source}", body, token)[0]

    def alerts(self, status: str, *services: str) -> None:
        """Fire or resolve the alerts of these services in one delivery."""
        start = "2026-03-02T10:15:30Z"
        one = {"status": status, "startsAt": start, "annotations": {"summary": "Down"}}
        alerts = [one | {"fingerprint": name, "labels": {"service": name}} for name in services]
        assert self.post(GROUP | {"alerts": alerts}, "alertmanager") == 202

    def command(self, *arguments: str) -> None:
        done = commands.run_command(*arguments, "--config", str(self.file), environment=self.environment)
        assert done.returncode == 0, done.stderr

    def fired_lately(self) -> set[str]:
        """Return the alerts that fired in the last half minute, which is longer than a test waits between polls."""
        found = self.watching.query('last_over_time(ALERTS{alertstate="firing"}[30s])')
        return {series["metric"]["alertname"].removeprefix("IncidentRouter") for series in found}

    def states(self) -> dict[str, str]:
        """Return the state of each alert, by its name without the common prefix."""
        return {name.removeprefix("IncidentRouter"): state for name, state in self.watching.states().items()}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        yield Stage(tmp_path_factory.mktemp("alerts"), stack)


def test_sender_and_file_errors_fire_their_alerts(stage: Stage, tmp_path: Path):
    names = ["SendersRefused", "AlertsLeftOut", "QuarantineGrows", "QuarantineFull", "RulesRefused", "DeadDeliveries"]
    broken = stage.folder / "rules" / "20.yaml"
    broken.write_text("rules: nonsense")
    stage.redis.xadd(keys.DEAD, {"reason": "worn out", "b": "{}"})
    assert stage.post({"title": "x"}, token="an old token") == 401
    assert stage.post(GROUP | {"truncatedAlerts": 7}, "alertmanager") == 202
    for _ in range(2):
        assert stage.post({"title": "", "status": "x" * MUCH}) == 422
    wait_for_alerts(stage, *names, "PollsFail")
    broken.unlink()
    stage.redis.delete(keys.DEAD)
    with test_sources.alertmanager(tmp_path, "http://127.0.0.1:9", stage.polled):
        resolved(stage, *names, "PollsFail")


def test_vendor_failures_and_storms_fire_their_alerts(stage: Stage):
    names = ["DeadLetters", "VendorErrors", "CircuitBreakerOpen", "PublishingGuardTripped", "AlertStorm"]
    stage.at.fault(vendor="incident-io", method="POST", action="503", count=10_000)
    stage.at.fault(vendor="devhelm", method="POST", path="/api/v1/incidents", action="status", status=422)
    services = [f"service-{number}" for number in range(8)]
    stage.alerts("firing", *services)
    wait_for_alerts(stage, *names)
    stage.alerts("resolved", *services)
    assert harness.ask(f"{stage.at.url}/faults", method="DELETE")[0] == 204
    stage.alerts("firing", "probe")

    def reset() -> bool:
        """Release the queued posts, which may trip the guard again."""
        stage.command("publishing", "reset")
        return stage.states()["PublishingGuardTripped"] == "inactive"

    harness.eventually("the breaker stays open", reset, every=2)
    resolved(stage, *names)


def test_redis_without_memory_fires_its_alerts(stage: Stage):
    used = stage.redis.info("memory")["used_memory"]
    stage.redis.config_set("maxmemory", int(used * 1.1))
    harness.eventually("deliveries are refused", lambda: stage.post(IGNORED) == 503)
    wait_for_alerts(stage, "RedisMemory", "Unavailable")
    stage.redis.config_set("maxmemory", 0)
    resolved(stage, "RedisMemory", "Unavailable")


def test_lost_redis_data_fires_its_alerts(stage: Stage):
    """Open items become orphans until an operator settles them."""
    stage.alerts("firing", "lost")
    harness.eventually("an incident is open", lambda: "open" in stage.at.incidents()["devhelm"])
    stage.redis.flushall()
    wait_for_alerts(stage, "DataLost", "Orphans")
    stage.redis.delete(keys.ORPHANS)
    resolved(stage, "DataLost", "Orphans")


def test_stopped_processes_fire_their_alerts(stage: Stage):
    stage.stop("web")
    wait_for_active_alert(stage, "WebAbsent")
    stage.start("web")
    resolved(stage, "WebAbsent")
    stage.stop("worker")
    wait_for_active_alert(stage, "WorkerSilent")
    stage.stop("web")
    wait_for_active_alert(stage, "Absent")
    stage.start("web")
    stage.start("worker")
    resolved(stage, "Absent", "WebAbsent", "WorkerSilent")


def test_every_alert_is_tested_live_or_by_promtool():
    text = Path(__file__).read_text()
    played = {f"IncidentRouter{name}" for name in re.findall(r'"([A-Z]\w+)"', text)}
    assert promql.alerts().keys() - played == PLAYED_BY_PROMTOOL


def wait_for_active_alert(stage: Stage, name: str) -> None:
    """Wait until an alert that stays active fires."""
    harness.eventually(f"{name} fires", lambda: stage.states()[name] == "firing", every=0.2)


def wait_for_alerts(stage: Stage, *names: str) -> None:
    """Wait until each of these alerts has fired. An alert that has already resolved counts."""
    waiting = set(names)

    def met() -> bool:
        waiting.difference_update(stage.fired_lately())
        return not waiting

    try:
        harness.eventually(f"all of {sorted(names)} fire", met, every=0.2)
    except AssertionError as error:
        raise AssertionError(f"{error}; these did not: {sorted(waiting)}") from None


def resolved(stage: Stage, *names: str) -> None:
    """Wait until none of these alerts is firing or pending."""

    def met() -> bool:
        states = stage.states()
        return all(states[name] == "inactive" for name in names)

    harness.eventually(f"none of {sorted(names)} fires", met, seconds=90, every=0.2)
