"""Runs a worker with one real destination at a simulated vendor over real HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from router.destinations import registry
from router.domain import decisions, publications
from router.simulator.incident_io import alerts
from router.store import keys
from router.telemetry import metrics
from router.worker import configured_destinations
from tests.end_to_end import harness
from tests.integration import workers

POST = {"title": "Checkout fails", "message": "Payments may fail.", "components": ["Checkout API"]}
FIELDS: dict[str, dict[str, Any]] = {
    "incident-io": {"name": "Checkout fails", "summary": "5xx above 20%"},
    "incident-io-alert": {"title": "Checkout fails", "description": "5xx above 20%"},
    "incident-io-status-page": POST,
    "devhelm": {"title": "Checkout fails", "body": "5xx above 20%"},
    "devhelm-status-page": POST,
}
VENDORS = {kind: "incident-io" if kind.startswith("incident-io") else "devhelm" for kind in FIELDS}
PAGES = {"incident-io-status-page": "Acme Status", "devhelm-status-page": "Acme"}
PLACES = dict(zip(FIELDS, ("on-call", "pager", "public-page", "devhelm", "devhelm-page"), strict=True))
CREATES = {
    "incident-io": "/v1/incidents",
    "incident-io-alert": f"/v2/alert_events/http/{alerts.SOURCE}",
    "incident-io-status-page": "/v2/status_page_incidents",
    "devhelm": "/api/v1/incidents",
    "devhelm-status-page": "/api/v1/status-pages/",
}
# Settings without which a kind can't be configured.
NEEDED = {"incident-io-alert": {"alert_source": alerts.SOURCE, "account_key": "any key"}}
NAME = "there"


class VendorHarness:
    """A worker with the destination ``there``, and the simulated vendor."""

    def __init__(
        self,
        on: workers.WorkerHarness,
        at: harness.Vendors,
        kind: str,
        place: configured_destinations.ConfiguredDestination,
    ) -> None:
        self.on = on
        self.place = place
        self.at = at
        self.kind = kind

    async def fire(self, key: str = "down", **fields: Any) -> None:
        """Fire an alert of an incident, and take a turn."""
        await self.on.deliver(workers.firing(key), key=key, response=self.response(**fields))
        await self.on.turn()

    def response(self, **fields: Any) -> decisions.Response:
        """Return the response of a rule that opens at the destination."""
        return workers.rule(decisions.Target(NAME, {**FIELDS[self.kind], **fields}, publish="auto"))

    async def end_alert(self, key: str = "down") -> None:
        """Resolve the alert of an incident, and take a turn."""
        await self.on.deliver(workers.resolved(key), key=key)
        await self.on.turn()

    def fault(self, action: str, method: str = "POST", path: str | None = None, **more: Any) -> None:
        """Set a fault for the vendor's next matching call; by default, the call that creates."""
        of = CREATES[self.kind] if path is None else path
        self.at.fault(vendor=VENDORS[self.kind], action=action, method=method, path=of, **more)

    def faults(self, action: str, **more: Any) -> None:
        """Set a fault for every POST and PUT."""
        for method in ("POST", "PUT"):
            self.fault(action, method, "", **more)

    def states(self) -> list[str]:
        """Return the states of all items at the vendor."""
        return self.at.alerts() if self.kind == "incident-io-alert" else self.at.incidents()[PLACES[self.kind]]

    def list_creates(self) -> list[dict[str, Any]]:
        """Return the calls that create items."""
        calls = self.at.calls("POST", vendor=VENDORS[self.kind])
        ends = "/incidents" if self.kind == "devhelm-status-page" else CREATES[self.kind]
        return [call for call in calls if call["path"].endswith(ends)]

    async def get_publication(self, key: str = "down") -> publications.Publication:
        """Return the router's record of the publication."""
        (publication,) = await self.on.publications.look(key)
        return publication

    async def is_open(self) -> bool:
        """Return whether the router has recorded the publication as open."""
        return (await self.get_publication()).state == "open"

    async def changed(self, key: str = "down", **changes: Any) -> None:
        """Change the router's record of the publication, and make its incident due immediately."""
        known = msgspec.structs.replace(await self.get_publication(key), **changes)
        # Use the worker's store, so that the test doesn't depend on the storage format.
        await self.on.store.redis.zadd(keys.timers(keys.shard(key)), {key: 0})
        for lease in await self.on.due():
            if lease.key == key:
                assert await self.on.publications.record(lease, [known])
            await self.on.publications.release(lease, due=1, finished=False)

    async def waits_since(self, since: int) -> None:
        """Simulate that the publication's review has waited since this time."""
        await self.changed(review=publications.PendingReview((await self.get_publication()).review.digest, since))

    async def expire_lease(self, key: str = "down") -> None:
        """Let the lease of an incident expire, so that the next turn takes the incident over."""
        await self.on.store.redis.hset(keys.publications(key), "until", 0)
        await self.on.store.redis.zadd(keys.timers(keys.shard(key)), {key: 0})

    async def eventually(self, met: Callable[[], Any]) -> None:
        """Take turns until the condition is met."""
        async with asyncio.timeout(10):
            while not met():
                await self.on.turn()
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def run_harness(
    store: Any,
    at: harness.Vendors,
    kind: str,
    *,
    passed: Callable[[str], None] = lambda _: None,
    waits_seconds: float = 0.5,
    **settings: Any,
) -> AsyncIterator[VendorHarness]:
    """Run a harness for the duration of the block. The worker calls ``passed`` with each point of an operation.

    ``waits_seconds`` is how long a call without a response counts as in progress. Calls have more time, so
    that a loaded machine ends none of them.
    """
    page = {"page": PAGES[kind]} if kind in PAGES else {}
    given = {"timeout_seconds": 5.0, "per_minute": 100_000, **page, **NEEDED.get(kind, {}), **settings}
    url = f"{at.url}/{VENDORS[kind]}"
    config = registry.KINDS[kind].config(kind=kind, api_key="any key", base_url=url, **given)
    client = registry.KINDS[kind].connect(NAME, config, workers.factories.clock)
    client.quota = store.make_quota("account", config.per_minute)
    destination = registry.KINDS[kind].make(NAME, config, client)
    place = configured_destinations.ConfiguredDestination(
        NAME, registry.KINDS[kind], destination, "", waits_seconds, "account"
    )
    try:
        on = workers.WorkerHarness(store, place, passed=passed, render=lambda fields, _: dict(fields))
        yield VendorHarness(on, at, kind, place)
    finally:
        await destination.aclose()


def metric_value(name: str, **labels: str) -> float:
    """Return the value of a metric."""
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def run(with_redis: Callable[[Any], Any], kind: str, play: Callable[[VendorHarness], Any], **settings: Any) -> None:
    """Run the coroutine function ``play`` with a harness of a kind, at simulated vendors and on an empty server."""

    async def body(store: Any) -> None:
        with harness.vendors() as at:
            async with run_harness(store, at, kind, **settings) as scene:
                await play(scene)

    with_redis(body)
