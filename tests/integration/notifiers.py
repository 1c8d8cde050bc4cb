"""A worker's stages with notifiers: incident events are announced, and delivered to real receivers."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

from router.domain import events, subscriptions
from router.notifiers import base, registry
from router.worker import announcer, notifications
from tests.integration import workers

SECRET = "whsec_" + "A" * 43 + "="
EVERYTHING: dict[events.Topic, tuple[str, ...]] = dict.fromkeys(
    ("incidents", "reviews", "guard", "dead_letters", "freezes", "heartbeats"), ("hook",)
)


def webhook(url: str, **settings: Any) -> base.Config:
    return registry.KINDS["webhook"].config(url=url, secrets=[SECRET], **settings)


class NotifierHarness:
    """A worker that announces events, and delivers them one turn at a time."""

    def __init__(
        self,
        on: workers.WorkerHarness,
        made: dict[str, base.Notifier],
        topics: dict,
        owners: dict | None = None,
        *,
        at_once: int = 32,
        timeout_seconds: float = 5.0,
    ) -> None:
        self.on = on
        self.ticks = itertools.count().__next__
        self.channels = notifications.Channels(made, subscriptions.Subscriptions(topics, owners or {}), timeout_seconds)
        self._at_once = at_once
        self.deliveries = self.deliverer()
        self.router = announcer.RouterAnnouncer(
            on.store,
            workers.factories.clock,
            self.deliveries.wake,
        )

    def deliverer(self) -> notifications.Deliveries:
        """Create the deliverer of another worker."""
        return notifications.Deliveries(
            self.on.store, self.channels, randomness=workers.NoJitter(), ticks=self.ticks, at_once=self._at_once
        )

    async def deliver(self) -> None:
        """Deliver everything that is due now."""
        self.deliveries.wake()
        await self.deliveries.turn()
        await self.deliveries.finish()

    async def turn(self) -> None:
        """Fold, reconcile, announce, and deliver all that is due now."""
        await self.on.turn()
        await self.router.turn()
        await self.deliver()

    async def wait_until(self, met) -> None:
        """Take turns until the condition is met. Retries wait by the clock of Redis."""
        async with asyncio.timeout(60):
            while not met():
                await self.turn()
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def run_harness(
    store: Any,
    *places: Any,
    configs: dict[str, base.Config],
    topics: dict | None = None,
    owners: dict | None = None,
    at_once: int = 32,
    **more: Any,
) -> AsyncIterator[NotifierHarness]:
    """Run a harness for the length of the block; without ``topics`` the notifier ``hook`` receives everything."""
    connected = base.NotifierConnection(workers.factories.clock, "prod")
    made = {name: registry.KINDS[config.kind].make(name, config, connected) for name, config in configs.items()}
    harness = NotifierHarness(
        workers.WorkerHarness(store, *places, announces=True, **more),
        made,
        EVERYTHING if topics is None else topics,
        owners,
        at_once=at_once,
        timeout_seconds=max(config.timeout_seconds for config in configs.values()),
    )
    try:
        yield harness
    finally:
        await harness.deliveries.aclose()
