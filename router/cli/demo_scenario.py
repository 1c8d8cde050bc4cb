"""The scenario of the demo: the alerts that are sent, the events that are awaited, and the table that shows them."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rich import console, panel, table, text

from router.domain import incidents, publications
from router.domain.times import Timestamp
from router.outbound import client
from router.store.store import Store
from router.worker.reviews import ReviewDecision, Reviews

KEY = 'checkout-down{labels.service="checkout"}'
PATIENCE_SECONDS = 20.0
_ROUNDS, _SHOPS = 25, 20  # The alert storm: the number of deliveries, and of shops with an alert in each.
_COLOURS = {"open": "red", "resolved": "green", "draft": "yellow", "absent": "dim", "dismissed": "dim"}


class DemoFailedError(Exception):
    """The demo failed: an expected event did not happen."""


@dataclass
class DemoPlayer:
    """Plays the scenario and shows its progress. ``pace`` 1.0 takes about one minute; 0.0 waits for no reader."""

    sender: client.Client
    vendors: client.Client
    store: Store
    reviews: Reviews
    clock: Callable[[], Timestamp]
    pace: float
    chapter: str = ""
    alerts_in: int = 0
    calls: list[dict[str, Any]] = field(default_factory=list)
    incident: incidents.Incident = field(default_factory=lambda: incidents.Incident(key=KEY))
    publications_of_incident: list[publications.Publication] = field(default_factory=list)
    waiting: int = 0

    async def play(self) -> None:
        """Play all chapters. Raises ``DemoFailedError`` if an expected event doesn't happen."""
        # The table shows intermediate states as well, so the state is also read while a chapter rests.
        watching = asyncio.create_task(self._watch())
        try:
            await self._storm()
            await self._escalate()
            await self._approve()
            await self._resolve()
        finally:
            watching.cancel()
            await self.sender.aclose()
        await self._look()
        await self.vendors.aclose()

    async def _storm(self) -> None:
        self.chapter = f"1  A storm: {_SHOPS} shops report failing payments, again and again"
        # All rounds have one start, so they repeat the same alerts instead of firing again.
        began = self.clock()
        for _ in range(_ROUNDS):
            await self._send("firing", "warning", began)
            await self._rest(0.6)
        await self._until("one incident is open", lambda: self.incident.status == "open")
        await self._until("both pages await approval", lambda: self.waiting == 2)
        await self._rest(4)

    async def _escalate(self) -> None:
        self.chapter = "2  It gets worse: the alerts turn critical, and the incident is raised"
        await self._send("firing", "critical", self.clock())
        await self._until("the incident is critical", lambda: self._has_call("/actions/edit"))
        await self._rest(12)

    async def _approve(self) -> None:
        self.chapter = "3  A reviewer approves the posts, and customers see them"
        for review in await self.reviews.waiting():
            await self.reviews.decide(review, ReviewDecision("approved", "you"))
        await self._until("both pages show it", lambda: self._states() == {"open"})
        await self._rest(14)

    async def _resolve(self) -> None:
        self.chapter = "4  The alerts resolve, and so do the incident and the posts"
        await self._send("resolved", "critical", self.clock())
        await self._until("everything is resolved", lambda: self._states() == {"resolved"})
        await self._rest(10)

    async def _send(self, status: str, severity: str, at: Timestamp) -> None:
        """Send one delivery with an alert of every shop."""
        shops = [
            {
                "title": f"Payments fail in shop {number}",
                "status": status,
                # The key stays the same in all chapters, so later deliveries change the alerts of the first one.
                "dedup_key": f"shop-{number}",
                "severity": severity,
                "starts_at": at // 1000,
                "labels": {"service": "checkout", "shop": str(number), "region": "eu"},
            }
            for number in range(_SHOPS)
        ]
        for shop in shops:
            await self.sender.call("POST", "/v1/webhooks/shop-monitoring", json=shop)
            self.alerts_in += 1

    async def _rest(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.pace)

    async def _until(self, description: str, met: Callable[[], bool]) -> None:
        try:
            # Waiting for a condition instead of a fixed time makes the demo independent of the machine's speed.
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._look()
                while not met():
                    await asyncio.sleep(0.02)
                    await self._look()
        except TimeoutError:
            raise DemoFailedError(f"not true within {PATIENCE_SECONDS:g} s: {description}") from None

    async def _watch(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(0.2)

    async def _look(self) -> None:
        self.incident = (await self.store.incidents.read([KEY]))[KEY].incident
        self.publications_of_incident = await self.store.publications.look(KEY)
        self.waiting = len(await self.reviews.waiting())
        self.calls = (await self.vendors.call("GET", "/calls")).body["calls"]

    def _states(self) -> set[str]:
        return {publication.state for publication in self.publications_of_incident}

    def _has_call(self, part: str) -> bool:
        return any(part in call["path"] for call in self.calls)

    @property
    def changes(self) -> int:
        """The number of calls that changed something at a vendor."""
        return sum(call["method"] != "GET" for call in self.calls)

    def summary(self) -> console.RenderableType:
        """Return the final figures."""
        grid = table.Table.grid(padding=(0, 2))
        grid.add_row("alerts in", str(self.alerts_in))
        grid.add_row("incidents out", str(self.incident.generation))
        grid.add_row("vendor calls", f"{len(self.calls)}, of which {self.changes} changed something")
        for publication in self.publications_of_incident:
            grid.add_row(publication.destination, f"{publication.state}  {publication.url}")
        return panel.Panel(grid, title="Summary", title_align="left")

    def __rich_console__(self, _console: console.Console, _options: console.ConsoleOptions) -> Iterator[Any]:
        yield text.Text(self.chapter, style="bold")
        facts = table.Table.grid(padding=(0, 3))
        severity = self.incident.severity.word if self.incident.generation else ""
        facts.add_row("alerts in", str(self.alerts_in), "incident", f"{self.incident.status} {severity}")
        facts.add_row("vendor calls", str(len(self.calls)), "waiting for a person", str(self.waiting))
        yield facts
        rows = table.Table("destination", "state", "operations", "where", expand=True)
        for publication in self.publications_of_incident:
            rows.add_row(
                publication.destination,
                text.Text(publication.state, style=_COLOURS[publication.state]),
                str(publication.number),
                publication.url or publication.vendor_id,
            )
        yield rows
