"""The webhook server on loopback with a real Valkey, for programs and SDKs that post to it."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import redis

from router.domain import alerts, decisions, severities
from router.sources import registry
from router.store import codec, keys
from router.store.store import Store
from router.web import app, health, serve, webhooks

NOW = 1_772_450_000_000_000
RESPONSE = decisions.Response("r", "a.yaml:1", "v1", (decisions.Target("on-call"),))


class WebServer(NamedTuple):
    """``url`` is the server's address. ``alerts`` reads the accepted alerts."""

    url: str
    redis_url: str

    def bodies(self) -> list[tuple[bytes, list[alerts.Alert]]]:
        """The stored body and alerts of each accepted delivery, oldest first."""
        with contextlib.closing(redis.Redis.from_url(self.redis_url)) as connection:
            rows: Any = connection.xrange(keys.INBOX)
        return [
            (codec.unpack_body(fields), [row.alert for row in codec.unpack_delivery(fields[b"h"]).rows])
            for _, fields in rows
        ]

    def alerts(self) -> list[alerts.Alert]:
        """All accepted alerts, in the order of arrival."""
        return [alert for _, found in self.bodies() for alert in found]


@contextlib.contextmanager
def run_web_server(redis_url: str, endpoints: Mapping[str, registry.ConfiguredSource]) -> Iterator[WebServer]:
    """Serve these sources in a separate thread."""
    ready = threading.Event()
    found: dict[str, Any] = {}

    async def main() -> None:
        store = Store.connect(redis_url)
        web_server = webhooks.WebhookHandler(
            endpoints,
            lambda alert, _: decisions.Decision(f"k/{alert.fingerprint}", severities.Severity.MAJOR, RESPONSE),
            inbox=store.inbox,
            quarantine=store.quarantine,
            clock=lambda: NOW,
            randomness=random.Random(3),
        )

        async def fine() -> health.CheckResult:
            return health.CheckResult(True, "fine")

        def started(port: int) -> None:
            found["port"] = port
            ready.set()

        found["task"] = asyncio.current_task()
        found["loop"] = asyncio.get_running_loop()
        with contextlib.suppress(asyncio.CancelledError):
            await serve.serve(app.create_app(web_server, checks={"all": fine}), "127.0.0.1", 0, started)
        await store.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert ready.wait(30)
        yield WebServer(f"http://127.0.0.1:{found['port']}", redis_url)
    finally:
        found["loop"].call_soon_threadsafe(found["task"].cancel)
        thread.join()
