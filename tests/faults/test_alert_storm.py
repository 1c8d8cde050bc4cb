"""2,000 simultaneous incidents: few open per window, one incident reports the rest, and none is lost or doubled."""

import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from router.store import keys
from router.worker import self_alerts
from tests import ports
from tests.end_to_end import harness
from tests.faults import topologies

KEYS, GO_ON = 2_000, 120
MOST, WITHIN_SECONDS = 50, 3
RULES = """
rules:
  - name: down
    when: {source: alertmanager}
    group_by: [labels.key]
    severity: major
    open:
      - {at: on-call, name: "Key {{ alert.labels.key }}"}
      - {at: devhelm, title: "Key {{ alert.labels.key }}"}
"""
STORM = f"storm: {{max_incidents: {MOST}, window: {WITHIN_SECONDS}s, destinations: [on-call]}}\n"


class Place:
    """Two webs, three workers, their Valkey, and both vendors."""

    def __init__(self, folder: Path, at: harness.Vendors, valkey: topologies.Topology) -> None:
        self.at = at
        self._folder = folder
        self._file = harness.configure(folder, at, rules=RULES)
        self._file.write_text(f"redis: {{url: {valkey.settings['url']}}}\n{STORM}{self._file.read_text()}")
        self.connection = redis.Redis.from_url(valkey.settings["url"])
        self.workers = [self._start("worker", "--name", f"w{number}", "--health-port", "0") for number in range(3)]
        self._webs = [self._start("web", "--console-port", str(ports.reserve())) for _ in range(2)]
        urls = [web.wait_for_output(r"(http://127\.0\.0\.1:\d+)/v1/webhooks")[1] for web in self._webs]
        self._urls = itertools.cycle(urls)

    def _start(self, kind: str, *more: str) -> harness.Process:
        command = [harness.COMMAND, kind, "--config", str(self._file), *more]
        return harness.Process(command, self._folder, "-".join((kind, *more)), forked=True, **harness.SECRETS)

    def kill_worker(self) -> None:
        """Kill a worker with SIGKILL, and start it again."""
        self.workers[0].kill()
        self.workers[0] = self._start("worker", "--name", "w0", "--health-port", "0")

    def stop(self) -> None:
        self.connection.close()
        for one in (*self._webs, *self.workers):
            one.kill()

    def post(self, status: str, numbers: range) -> None:
        """Send the state of this many incidents as an Alertmanager does, a thousand alerts per delivery."""
        for first in range(numbers.start, numbers.stop, 1000):
            alerts = [alert_body(status, number) for number in range(first, min(first + 1000, numbers.stop))]
            body = {"version": "4", "groupKey": "g", "receiver": "r", "status": status, "alerts": alerts}
            code, answer = harness.ask(f"{next(self._urls)}/v1/webhooks/alertmanager", body, harness.TOKEN)
            assert code == 202, answer

    def waiting(self) -> int:
        return int(self.connection.zcard(keys.WAITING))

    def opened(self) -> dict[str, dict[str, list[str]]]:
        """Return the states at each vendor by name: ``open`` or ``resolved``, once per open."""
        state = self.at.state()
        found: dict[str, dict[str, list[str]]] = {"on-call": {}, "devhelm": {}}
        for incident in state["incident-io"]["incidents"]:
            over = incident["incident_status"]["category"] == "closed"
            found["on-call"].setdefault(incident["name"], []).append("resolved" if over else "open")
        for incident in state["devhelm"]["incidents"]:
            over = incident["incident"]["status"] == "RESOLVED"
            title = incident["incident"]["title"].partition("] ")[2]  # The router's reference is at the start.
            found["devhelm"].setdefault(title, []).append("resolved" if over else "open")
        return found


def alert_body(status: str, number: int) -> dict:
    over = {"endsAt": "2026-11-21T09:00:00Z"} if status == "resolved" else {}
    labels = {"alertname": "Down", "key": f"k{number}"}
    return {
        "status": status,
        "labels": labels,
        "startsAt": "2026-11-21T08:00:00Z",
        "fingerprint": f"{number:016x}",
    } | over


@pytest.fixture
def place(tmp_path) -> Iterator[Place]:
    with harness.vendors() as at, topologies.run_topology(topologies.Standalone(tmp_path)) as valkey:
        made = Place(tmp_path, at, valkey)
        with contextlib.closing(contextlib.ExitStack()) as stack:
            stack.callback(made.stop)
            yield made


def has_expected_incidents(place: Place) -> bool:
    """Return whether exactly the firing incidents are open at both vendors."""
    still = {f"Key k{number}" for number in range(GO_ON)}
    found = place.opened()
    return all(
        {name for name, states in by_name.items() if "open" in states and name != self_alerts.STORM.title} == still
        for by_name in found.values()
    )


def list_early_opens(place: Place, began_at: int) -> list[str]:
    """Return the opens that exceed the limit of the windows started since the first delivery.

    A call may be later than its turn, but not earlier.
    """
    calls = [call["at"] for call in place.at.calls("POST", vendor="devhelm") if call["path"].endswith("/v1/incidents")]
    windows = [(at - began_at) // (WITHIN_SECONDS * 1_000_000) + 2 for at in calls]
    return [f"{count} in {number} windows" for count, number in enumerate(windows, 1) if count > MOST * number]


@pytest.mark.timeout(200)
def test_storm_of_2000_incidents_opens_each_once(place):
    """Only a few open at first, and one incident reports the others."""
    began_at = time.time_ns() // 1000
    place.post("firing", range(KEYS))
    harness.eventually("most incidents are queued", lambda: place.waiting() > KEYS * 3 // 4)
    harness.eventually("one incident reports the storm", lambda: place.opened()["on-call"].get(self_alerts.STORM.title))
    place.kill_worker()
    place.post("resolved", range(GO_ON, KEYS))
    harness.eventually("only incidents that still fire are open", lambda: has_expected_incidents(place), 90)
    assert list_early_opens(place, began_at) == []
    place.post("resolved", range(GO_ON))
    storm = self_alerts.STORM.title
    harness.eventually("the storm is over", lambda: place.opened()["on-call"][storm] == ["resolved"], 60)
    for by_name in place.opened().values():
        times = Counter({name: len(states) for name, states in by_name.items()})
        assert times.most_common(1)[0][1] == 1, times.most_common(3)
    assert place.waiting() == 0
