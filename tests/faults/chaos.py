"""A deployment of two webs, three workers, Redis, and both vendors, whose processes are killed while alerts arrive."""

import asyncio
import contextlib
import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.store import keys
from router.store.store import Store
from tests import ports
from tests.end_to_end import harness
from tests.faults import notification_checks, oracles, topologies
from tests.integration import receiver

RULES = """
rules:
  - name: chaos
    when: {labels.env: chaos}
    group_by: [labels.key]
    severity: major
    public: {alert.labels.key: {pattern: '^k[0-9]+$'}}
    open:
      - {at: on-call, name: "Key {{ alert.labels.key | default: alert.title }}"}
      - {at: devhelm, title: "Key {{ alert.labels.key | default: alert.title }}"}
      - {at: public-page, publish: auto, title: "Outage {{ alert.labels.key }}", message: We are investigating.}
      - {at: devhelm-page, publish: auto, title: "Outage {{ alert.labels.key }}", message: We are investigating.}
"""
LIMITS = "pages: {automatic_posts: {max: 100000, window: 1h}, automatic_components: {max: 100000, window: 1h}}"
PATIENCE_SECONDS = 60.0
# After the last kill and message. Recovery time is measured only at full length, when nothing else runs.
SETTLED_SECONDS = 15.0 if os.environ.get("CHAOS") == "full" else float("inf")
SENDERS = 4
NAMES = ("web-0", "web-1", "worker-0", "worker-1", "worker-2")


class Deployment:
    """All processes of the deployment. Each can be killed and restarted."""

    def __init__(
        self,
        folder: Path,
        stack: contextlib.ExitStack,
        make: Callable[[Path], topologies.Topology],
        names: Sequence[str] = NAMES,
        *,
        notifies: bool = False,
    ) -> None:
        self.folder = folder
        self._stack = stack
        self.vendors = stack.enter_context(harness.vendors())
        self.file = harness.configure(folder, self.vendors, timeout=3, rules=RULES)
        self.ports = [ports.reserve() for _ in range(2)]
        self._processes: dict[str, harness.Process] = {}
        self.kills: Counter[str] = Counter()
        self.unanswered: list[str] = []
        self.topology = stack.enter_context(topologies.run_topology(make(folder)))
        written = self.file.read_text().replace("pages: {min_update_interval: 0s}", LIMITS)
        self.hook = stack.enter_context(receiver.run_receiver()) if notifies else None
        more = notification_checks.settings(self.hook) if self.hook is not None else ""
        self.file.write_text(f"redis: {json.dumps(self.topology.settings)}\n{more}{written}")
        stack.callback(self._stop)
        for name in names:
            self.start(name)
        for number in range(2):
            self._processes[f"web-{number}"].wait_for_output("/v1/webhooks")

    def web_port(self, web: int) -> int:
        """Return the port at which a web receives deliveries."""
        return self.ports[web]

    def start(self, name: str, life: str = "") -> None:
        """Start a process.

        A process with another ``life`` may run beside the one with its name, and has a separate log.
        """
        kind, _, number = name.partition("-")
        if kind == "web":
            more = ["--port", str(self.ports[int(number)]), "--console-port", "0"]
        else:
            more = ["--name", name + life, "--health-port", "0"]
        command = [harness.COMMAND, kind, "--config", str(self.file), *more]
        self._processes[name] = harness.Process(command, self.folder, name + life, forked=True, **harness.SECRETS)

    def kill(self, name: str) -> None:
        """Kill a process with SIGKILL and start it again."""
        self.kills[name.partition("-")[0]] += 1
        if name == "valkey":
            self.topology.disturb()
        else:
            self._processes[name].kill()
            self.start(name)

    def _stop(self) -> None:
        for process in self._processes.values():
            process.kill()

    def send(self, message: Any, web: int, line: "SenderConnection") -> list[int]:
        """Send a message until it is accepted. Return the statuses of all attempts, 0 for no answer."""
        answers = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                status = line.post(self.web_port(web), f"/v1/webhooks/{message.source}", message.body)
            except (OSError, http.client.HTTPException) as error:
                self.unanswered.append(repr(error))
                status = 0
            answers.append(status)
            if status == 202:
                return answers
            time.sleep(0.05)
        raise AssertionError(f"{message} was not accepted within {PATIENCE_SECONDS} s: {Counter(answers)}")


class SenderConnection:
    """A sender's connection to a web. It is reused unless ``kept`` is false."""

    def __init__(self, *, kept: bool = True) -> None:
        self._kept = kept
        self._connection: http.client.HTTPConnection | None = None

    def post(self, port: int, path: str, body: Any) -> int:
        """Return the status of the response."""
        if self._connection is None or self._connection.port != port:
            self.close()
            self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"content-type": "application/json", "authorization": f"Bearer {harness.TOKEN}"}
        answered = False
        try:
            self._connection.request("POST", path, json.dumps(body).encode(), headers)
            answer = self._connection.getresponse()
            answer.read()
            answered = self._kept
            return answer.status
        finally:
            if not answered:
                self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Report:
    """The result of a run. ``wrong`` must be empty; ``last`` has the differences that lasted longest."""

    seed: int
    accepted: int
    kills: dict[str, int]
    answers: dict[int, int]
    settled_seconds: float
    wrong: list[str]
    last: list[str]


def run(
    folder: Path,
    make: Callable[[Path], topologies.Topology],
    *,
    seed: int,
    count: int,
    incident_keys: int,
    kills: list[str],
) -> Report:
    """Send ``count`` messages twice while processes are killed, and wait until the state agrees with the oracle."""
    chance = random.Random(seed)
    made = oracles.messages(chance, count, incident_keys)
    return run_phases(folder, make, [made], oracles.Oracle(), seed=seed, chance=chance, kills=kills, notifies=True)


def run_phases(
    folder: Path,
    make: Callable[[Path], topologies.Topology],
    phases: Sequence[Sequence[Any]],
    oracle: Any,
    *,
    seed: int,
    chance: random.Random,
    kills: list[str],
    then: Callable[[Deployment], None] = lambda _: None,
    notifies: bool = False,
) -> Report:
    """Run phases of given messages against a given oracle; ``then`` is called before the deployment is stopped. With
    ``notifies``, a webhook receives the events, and none may be lost.

    All messages of a phase are accepted before any of the next one is sent.
    """
    answers: Counter[int] = Counter()
    with contextlib.ExitStack() as stack:
        deployment = Deployment(folder, stack, make, notifies=notifies)
        senders = _senders(deployment, phases, oracle, answers)
        _kill(deployment, chance, kills, senders)
        for sender in senders:
            sender.join()
        began = looked_at = time.monotonic()
        wrong: list[str] = ["not looked at yet"]
        last: list[str] = []
        while wrong and looked_at - began < PATIENCE_SECONDS:
            last = wrong
            looked_at = time.monotonic()
            wrong = asyncio.run(list_differences(deployment, oracle))
            time.sleep(0.2)
        wrong += list_failures(senders)
        if deployment.hook is not None:
            kills_of_deliverers = deployment.kills["worker"] + deployment.kills["valkey"]
            wrong += notification_checks.list_unexplained(deployment.hook.requests, kills_of_deliverers)
        then(deployment)
        return Report(seed, oracle.accepted, dict(deployment.kills), dict(answers), looked_at - began, wrong, last)


class Sender(threading.Thread):
    """Sends its share of each phase to both webs over persistent connections.

    After each phase, it waits at the barrier ``together`` for the other senders.
    """

    keeps = True

    def __init__(
        self,
        deployment: Deployment,
        shares: Sequence[Sequence[Any]],
        oracle: Any,
        answers: Counter[int],
        together: threading.Barrier | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self._deployment, self._shares, self._oracle, self._answers = deployment, shares, oracle, answers
        self._together = together or threading.Barrier(1)
        self.failure = ""

    def run(self) -> None:
        lines = [SenderConnection(kept=self.keeps) for _ in range(2)]
        try:
            for share in self._shares:
                self._send(share, lines)
                self._together.wait()
        except AssertionError as error:
            self.failure = str(error)
            self._together.abort()
        except threading.BrokenBarrierError:
            self.failure = "another sender has failed"
        finally:
            for line in lines:
                line.close()

    def _send(self, share: Sequence[Any], lines: list[SenderConnection]) -> None:
        for message in share:
            for web, line in enumerate(lines):
                answer = self._deployment.send(message, web, line)
                self._oracle.accept(message)
                with self._oracle.lock:
                    self._answers.update(answer)


def list_failures(senders: list[Sender]) -> list[str]:
    return [sender.failure for sender in senders if sender.failure]


def _senders(
    deployment: Deployment, phases: Sequence[Sequence[Any]], oracle: Any, answers: Counter[int]
) -> list[Sender]:
    together = threading.Barrier(SENDERS)
    shares = [[phase[first::SENDERS] for phase in phases] for first in range(SENDERS)]
    senders = [Sender(deployment, share, oracle, answers, together) for share in shares]
    for sender in senders:
        sender.start()
    return senders


def _kill(deployment: Deployment, chance: random.Random, kills: list[str], senders: list[Sender]) -> None:
    """Kill one process at a time at random moments, until all ``kills`` are done."""
    names = {"worker": ["worker-0", "worker-1", "worker-2"], "web": ["web-0", "web-1"], "valkey": ["valkey"]}
    for kind in chance.sample(kills, len(kills)):
        moment = time.monotonic() + chance.uniform(0.3, 1.2)
        harness.eventually("the time has passed", lambda until=moment: time.monotonic() >= until)
        deployment.kill(chance.choice(names[kind]))


async def list_differences(deployment: Deployment, oracle: oracles.Oracle) -> list[str]:
    """Return every difference from the oracle."""
    store = Store.connect(deployment.topology.server())
    try:
        return [difference async for difference in _differences(deployment, oracle, store)]
    finally:
        await store.aclose()


async def _differences(deployment: Deployment, oracle: oracles.Oracle, store: Any) -> Any:
    waiting = await store.redis.xlen(keys.INBOX)
    if waiting:
        yield f"{waiting} deliveries are still in the inbox"
    for letter in await store.dead_deliveries.read():
        yield f"a dead letter: {letter.reason}"
    firing = oracle.firing()
    names = {f'chaos{{labels.key="{key}"}}': key for key in firing}
    held = await store.incidents.read(names)
    for name, key in names.items():
        found = {alert.partition("/")[2] for alert in held[name].incident.firing}
        if found != firing[key]:
            yield f"{key}: {sorted(found)} fire, and {sorted(firing[key])} should"
        leased = await store.redis.hget(keys.publications(name), "until")
        if leased and int(leased):
            yield f"{key}: a worker holds a lease"
    for difference in compare_with_vendors(deployment, firing):
        yield difference
    if deployment.hook is not None:
        async for difference in notification_checks.list_lost(deployment.hook, store, names):
            yield difference


def compare_with_vendors(deployment: Deployment, firing: dict[str, set[str]]) -> Iterator[str]:
    """Compare the open incidents at the vendors with the firing keys, and find episodes that were opened twice."""
    state = deployment.vendors.state()
    ours, theirs = state["incident-io"], state["devhelm"]
    shown: dict[str, list[tuple[str, bool]]] = {
        "on-call": [
            (incident["name"], incident["incident_status"]["category"] != "closed") for incident in ours["incidents"]
        ],
        "public-page": [
            (incident["name"], incident["incident_status"] != "resolved") for incident in ours["status_page_incidents"]
        ],
        "devhelm": [
            (incident["incident"]["title"], incident["incident"]["status"] != "RESOLVED")
            for incident in theirs["incidents"]
        ],
        "devhelm-page": [(post["title"], post["status"] != "RESOLVED") for post in deployment.vendors.posts()],
    }
    counts = Counter(key for key, alerts in firing.items() if alerts)
    for place, found in shown.items():
        is_open = Counter(parse_key(title) for title, still in found if still)
        if is_open != counts:
            yield f"{place}: open {is_open - counts} too many, {counts - is_open} too few"
    references = Counter(incident["summary"].rpartition("Reference: ")[2] for incident in ours["incidents"])
    for reference, number in references.items():
        if number > 1:
            yield f"incident.io has {number} incidents of {reference}"


def parse_key(title: str) -> str:
    """Return the incident key in a title."""
    return next(word for word in title.split() if word[0] == "k" and word[1:].isdigit())
