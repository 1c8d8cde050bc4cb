"""Runs a whole worker with all four simulated destinations, whose data a test deletes and restores."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from router import configuration
from router.bootstrap import factories
from router.domain import alerts, decisions, deliveries, publications, severities, timeline
from router.store import dataset
from router.worker import recovery
from tests.end_to_end import harness

LIMITS = "{max: 1000, window: 1h}"
NO_REVIEW = decisions.Ending()
PLACES = ("on-call", "public-page", "devhelm", "devhelm-page")


def response(
    key: str,
    text: str = "",
    *,
    publish: decisions.Publish = "auto",
    ending: decisions.Ending = NO_REVIEW,
    **timing: int,
) -> decisions.Response:
    """Return the response of a rule; ``text`` is the public text, by default a distinct one for each incident."""
    public = {"title": text or f"{key} is unavailable", "message": text or f"We are looking at {key}."}
    targets = (
        decisions.Target("on-call", {"name": f"{key} is down", "summary": "5xx"}),
        decisions.Target("devhelm", {"title": f"{key} is down"}),
        decisions.Target("public-page", public, publish=publish, ending=ending),
        decisions.Target("devhelm-page", public, publish=publish, ending=ending),
    )
    return decisions.Response("down", "rules/a.yaml:3", "v1", targets, decisions.Timing(**timing))


class LostDataHarness:
    """The router's data, and its vendors."""

    def __init__(self, store: Any, settings: configuration.Settings, at: harness.Vendors) -> None:
        self.store = store
        self.settings = settings
        self.at = at
        self.inbox = store.inbox
        self.publications = store.publications
        self._number = 0

    async def send_messages(
        self, status: alerts.Status, keys: Iterable[str], name: str = "", *, starts_at: int = 0, **wanted: Any
    ) -> None:
        """Send one message for each incident; ``name`` distinguishes the alerts of one incident."""
        for key in keys:
            self._number += 1
            now = factories.clock()
            ends_at = now if status == "resolved" else 0
            alert = alerts.Alert(
                "am", f"{key}{name}", status, starts_at or now - 60_000_000, ends_at, title=f"{key} is down"
            )
            decided = decisions.Decision(key, severities.Severity.MAJOR, response(key, **wanted))
            packed = deliveries.pack(f"d{self._number}", "am", now, [(alert, decided)])
            await self.inbox.accept(packed, b"{}")

    async def snapshot(self) -> dict[bytes, bytes]:
        """Copy all data."""
        return {key: await self.store.redis.dump(key) for key in await self.store.redis.keys("*")}

    async def restore(self, snapshot: dict[bytes, bytes]) -> None:
        """Replace the data with an earlier copy."""
        pipeline = self.store.redis.pipeline(transaction=True)
        pipeline.flushall()
        for key, data in snapshot.items():
            pipeline.restore(key, 0, data)
        await pipeline.execute()

    async def words(self) -> dict[str, list[str]]:
        """Return the ordered states of all incidents and posts by destination."""
        found = await asyncio.to_thread(self.at.incidents)
        return {name: sorted(words) for name, words in found.items()}

    async def wait_until(self, met: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Wait until a condition is met."""
        async with asyncio.timeout(60):
            while not (found := await met()):
                await asyncio.sleep(0.02)
        return found

    async def wait_until_shown(self, *words: str, at: Iterable[str] = PLACES) -> None:
        """Wait until each destination has exactly these states."""
        shown: dict[str, list[str]] = {}

        async def met() -> bool:
            shown.update(await self.words())
            return all(shown[name] == sorted(words) for name in at)

        try:
            await self.wait_until(met)
        except TimeoutError:
            raise AssertionError(f"not {sorted(words)}: {shown}") from None

    async def wait_until_idle(self) -> None:
        """Wait until every message has been folded."""

        async def met() -> bool:
            return (await self.store.inbox.depth())[0] == 0

        await self.wait_until(met)

    async def state(self) -> dataset.DataSetState:
        """Return the state of the data set."""
        return await self.store.data_set.read_state(factories.clock())

    async def wait_until_noticed(self, reason: str) -> dataset.DataSetState:
        """Wait until the router has noticed the loss and read every destination."""

        async def met() -> dataset.DataSetState | None:
            state = await self.state()
            done = state.reason == reason and state.since and all(name in state.read for name in PLACES)
            return state if done else None

        return await self.wait_until(met)

    async def get_publications(self, key: str) -> dict[str, publications.Publication]:
        """Return the router's records of an incident's publications, by destination."""
        return {publication.destination: publication for publication in await self.publications.look(key)}

    async def timeline(self, key: str) -> list[timeline.Event]:
        """Return the timeline of an incident."""
        return await self.store.incidents.timeline(key)

    @contextlib.asynccontextmanager
    async def run_worker(self) -> AsyncIterator[None]:
        """Run a worker for the length of the block."""
        places = factories.places(self.settings, self.store)
        stop = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(factories.worker(self.settings, self.store, places).run(stop))
                try:
                    yield
                finally:
                    stop.set()
        finally:
            for place in places.values():
                await place.destination.aclose()


def run(
    with_redis: Callable[..., Any],
    folder: Path,
    play: Callable[[LostDataHarness], Coroutine[Any, Any, None]],
    more: str = "",
) -> None:
    """Run ``play`` with a harness without a running worker; ``more`` are further settings."""
    with harness.vendors() as at:
        file = harness.configure(folder, at)
        limits = f"pages: {{min_update_interval: 0s, automatic_posts: {LIMITS}, automatic_components: {LIMITS}}}"
        file.write_text(file.read_text().replace("pages: {min_update_interval: 0s}", limits) + more)
        settings = configuration.load(file, harness.SECRETS)

        async def body(store: Any) -> None:
            await play(LostDataHarness(store, settings, at))

        with_redis(body)


def read_without_delay(monkeypatch: Any) -> None:
    """Read each destination a second time without delay."""
    monkeypatch.setattr(recovery, "SETTLED", 0)
