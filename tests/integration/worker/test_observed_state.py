"""After any sequence of severities and components, each vendor shows the state of the firing alerts."""

import asyncio
import itertools

import hypothesis
import pytest
from hypothesis import strategies

from router.bootstrap import factories
from router.destinations import registry
from router.domain import decisions, plan, severities
from router.domain.alerts import Alert
from router.outbound import backoff
from router.simulator import faults, server
from router.store import publishing_state
from router.worker import circuit_breaker, configured_destinations, publishing_guard
from tests.integration import workers

ACCOUNTS = {
    "incident-io": "incident-io",
    "incident-io-status-page": "incident-io",
    "devhelm": "devhelm",
    "devhelm-status-page": "devhelm",
}
PAGES = {"incident-io-status-page": "Acme Status", "devhelm-status-page": "Acme"}
SERVICES = {"pay": "Checkout API", "find": "Search"}
PARTS = {"labels.service": SERVICES}
TARGETS = (
    decisions.Target("incident-io", {"name": "The shop"}),
    decisions.Target("devhelm", {"title": "The shop"}),
    *(decisions.Target(kind, {"title": "The shop", "message": "Sorry."}, "auto", parts=PARTS) for kind in PAGES),
)
SHOP = decisions.Response("shop", "rules/a.yaml:3", "v1", TARGETS, follows_severity=True)
LIMITS = publishing_guard.GuardLimits(
    publishing_state.Limit(10_000, workers.HOUR), publishing_state.Limit(10_000, workers.HOUR), observe_interval=100_000
)
STATUSES = {"critical": "major_outage", "major": "partial_outage", "minor": "degraded_performance"}
SEVERITIES = {"critical": "Critical", "major": "Major", "minor": "Minor"}
Step = tuple[str, str]

steps = strategies.lists(
    strategies.tuples(strategies.sampled_from(list(SERVICES)), strategies.sampled_from([*STATUSES, "resolved"])),
    min_size=1,
    max_size=7,
)
FLAPS = [
    [("pay", "critical"), ("find", "critical"), ("find", "resolved"), ("find", "critical")],
    [("pay", level) for level in ("minor", "critical", "minor", "critical")],
    [("pay", level) for level in ("critical", "minor", "major", "minor", "critical")],
    [("find", "minor"), ("pay", "critical"), ("pay", "resolved"), ("pay", "minor"), ("find", "critical")],
]


@pytest.fixture(scope="module")
def simulator():
    with server.Server() as running:
        yield running


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    """Shorten waits of seconds to milliseconds, and include the severity in texts."""
    monkeypatch.setattr(plan, "UNCONFIRMED_OBSERVE_INTERVAL", 20_000)
    monkeypatch.setattr(plan, "MISMATCH_RETRY_DELAY", 20_000)
    monkeypatch.setattr(plan, "MAX_MISSING_INTERVAL", 100_000)
    monkeypatch.setattr(circuit_breaker.CircuitBreakers, "open_until", lambda *_: 0)
    # Retries without any delay reach the limit of steps of one turn, and then wait for a minute.
    monkeypatch.setattr(backoff, "full_jitter", lambda *_, **more: max(0.02, min(more.get("at_least", 0.0), 0.05)))


def render(fields, of):
    """Put the severity into the summary for incident.io, whose incidents have no updates."""
    said = f"It is {of.severity.word}."
    return {**fields, "summary" if "name" in fields else "update_message": said}


class World:
    """A worker, both simulated vendors, and the state of the alerts."""

    def __init__(self, on, simulator, places):
        self.on = on
        self.simulator = simulator
        self.places = places
        self.firing = {}
        self._starts = itertools.count(1)
        self.starts = {}

    async def step(self, service, level):
        if level == "resolved":
            if service not in self.firing:
                return
            del self.firing[service]
            start = self.starts.pop(service)
            alerts = Alert("am", service, "resolved", start, start + 1, labels={"service": service})
            level = "minor"
        else:
            self.firing[service] = level
            start = self.starts[service] = next(self._starts) * 1000
            alerts = Alert("am", service, "firing", start, 0, title="Down", labels={"service": service})
        await self.on.deliver(alerts, level=severities.parse(level), response=SHOP)
        await self.on.turn()

    def state(self):
        return {name: one.state() for name, one in self.simulator.app.state.vendors.items()}

    def shown(self):
        """Return the components of pages, the newest texts, and the severities that each vendor shows."""
        ours, theirs = self.state()["incident-io"], self.state()["devhelm"]
        acme = next(page for page in theirs["pages"] if page["name"] == "Acme")
        found = {
            "incident-io-status-page": components(ours["components"]),
            "devhelm-status-page": components(acme["components"]),
            "incident-io": [
                incident["severity"]["name"]
                for incident in ours["incidents"]
                if incident["incident_status"]["category"] != "closed"
            ],
            "devhelm": sum(incident["incident"]["status"] != "RESOLVED" for incident in theirs["incidents"]),
            "open posts": (
                sum(incident["incident_status"] != "resolved" for incident in ours["status_page_incidents"]),
                sum(incident["status"] != "RESOLVED" for incident in acme["incidents"]),
            ),
        }
        if self.firing and theirs["incidents"] and ours["status_page_incidents"] and acme["incidents"]:
            detail = theirs["incidents"][-1]
            found["texts"] = [
                get_severity_word(ours["status_page_incidents"][-1]["updates"], "message", self.worst()),
                get_severity_word(acme["incidents"][-1]["updates"], "body", self.worst()),
                get_severity_word(detail["updates"], "body", self.worst()),
            ]
        return found

    def worst(self):
        return next((level for level in STATUSES if level in self.firing.values()), "")

    def wanted(self):
        statuses = {SERVICES[service]: STATUSES[level] for service, level in self.firing.items()}
        is_open = bool(self.firing)
        found = {
            "incident-io-status-page": statuses,
            "devhelm-status-page": statuses,
            "incident-io": [SEVERITIES[self.worst()]] if is_open else [],
            "devhelm": int(is_open),
            "open posts": (int(is_open), int(is_open)),
        }
        if is_open:
            found["texts"] = [self.worst()] * 3
        return found

    async def settled(self):
        last = {}

        def right():
            last.update(shown=self.shown())
            return last["shown"] == self.wanted()

        try:
            await self.on.wait_until(right)
        except TimeoutError:
            assert last["shown"] == self.wanted()


def components(statuses):
    shown = {name: status.lower().replace("full_outage", "major_outage") for name, status in statuses.items()}
    return {name: status for name, status in shown.items() if status != "operational"}


def get_severity_word(updates, field, worst):
    """Return the severity in the newest update. The first text of a post has no severity, which is correct."""
    words = [word for word in (*STATUSES, "info") if word in (updates[-1][field] or "").split("(")[0]]
    return words[0] if words else worst


async def run_scene(store, simulator, play):
    await store.redis.flushall()
    for vendor in simulator.app.state.vendors.values():
        vendor.reset()
    simulator.app.state.faults.clear()
    places = []
    for kind, account in ACCOUNTS.items():
        page = {"page": PAGES[kind]} if kind in PAGES else {}
        url = f"{simulator.url}/{account}"
        config = registry.KINDS[kind].config(kind=kind, api_key="any", base_url=url, timeout_seconds=5, **page)
        destination = registry.build(kind, config, factories.clock)
        places.append(
            configured_destinations.ConfiguredDestination(kind, registry.KINDS[kind], destination, timeout_seconds=0.05)
        )
    try:
        await play(World(workers.WorkerHarness(store, *places, limits=LIMITS, render=render), simulator, places))
    finally:
        await asyncio.gather(*(place.destination.aclose() for place in places))


def run(with_redis, simulator, sequence, *struck, settles=True):
    async def play(world):
        for fault in struck:
            simulator.app.state.faults.append(fault)
        for step in sequence:
            await world.step(*step)
            if settles:
                await world.settled()
        simulator.app.state.faults.clear()
        await world.settled()

    with_redis(lambda store: run_scene(store, simulator, play))


def some(examples):
    return hypothesis.settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )


@pytest.mark.parametrize("sequence", FLAPS)
def test_vendor_shows_final_state_after_flapping(with_redis, simulator, sequence):
    run(with_redis, simulator, sequence)


@hypothesis.given(sequence=steps)
@some(12)
def test_vendor_shows_final_state_after_any_sequence(with_redis, simulator, sequence):
    run(with_redis, simulator, sequence)


STYLES = ["strip", "fold", "crlf", "escape", "bullets", "paragraph", "backslash", "cut", "impact"]


@pytest.mark.parametrize("action", ["normalize", "render"])
@pytest.mark.parametrize("style", STYLES)
@hypothesis.given(sequence=steps)
@some(2)
def test_vendor_shows_final_state_despite_rewritten_texts(with_redis, simulator, sequence, style, action):
    run(with_redis, simulator, sequence, faults.Fault(action=action, style=style, length=12, count=100_000))


@hypothesis.given(sequence=steps)
@some(6)
def test_vendor_shows_final_state_despite_lagging_reads(with_redis, simulator, sequence):
    run(with_redis, simulator, sequence, faults.Fault(action="lag", lag_seconds=0.1, count=100_000))


@hypothesis.given(sequence=steps, seed=strategies.integers(1, 1000))
@some(6)
def test_vendor_shows_final_state_despite_lost_responses(with_redis, simulator, sequence, seed):
    lost = [
        faults.Fault(action=action, method=method, probability=0.3, seed=seed, count=100_000, retry_after=0)
        for action, method in (("act-then-drop", "POST"), ("act-then-drop", "PUT"), ("429", "POST"))
    ]
    run(with_redis, simulator, sequence, *lost)


@hypothesis.given(sequence=steps, seed=strategies.integers(1, 1000))
@some(6)
def test_vendor_shows_final_state_despite_stray_404s(with_redis, simulator, sequence, seed):
    stray = [
        faults.Fault(action=action, method="GET", probability=0.15, seed=seed, count=100_000, status=404)
        for action in ("status", "gateway")
    ]
    run(with_redis, simulator, sequence, *stray)


@pytest.mark.parametrize("last", [("pay", "minor"), ("pay", "resolved"), ("find", "minor")])
@pytest.mark.parametrize("refused", ["/api/v1/status-pages/", "/v2/status_page_incident_updates"])
def test_component_of_half_done_update_recovers(with_redis, simulator, monkeypatch, refused, last):
    """The first call of an update has changed the component, and the second one failed. Then the alert resolves."""
    # The alert resolves before the retry.
    monkeypatch.setattr(backoff, "full_jitter", lambda *_, **__: 1.0)

    async def play(world):
        await world.step("pay", "major")
        await world.settled()
        refusal = faults.Fault(action="429", method="POST", path=refused, retry_after=0, count=1)
        simulator.app.state.faults.append(refusal)
        await world.step("find", "critical")
        await world.step("find", "resolved")
        await world.step(*last)
        simulator.app.state.faults.clear()
        await world.settled()

    with_redis(lambda store: run_scene(store, simulator, play))
