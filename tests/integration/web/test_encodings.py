"""Senders that don't post plain JSON, over real HTTP with a real Valkey."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx
import pytest
from cloudevents.core.bindings import http
from cloudevents.core.formats import json as event_format
from cloudevents.core.v1 import event as v1

from router.domain import alerts, decisions, severities
from router.sources import json, registry
from router.store import codec, keys
from router.store.store import Store
from router.web import app, webhooks
from tests.integration import servers

NOW = 1_772_450_000_000_000
RESPONSE = decisions.Response("down", "a.yaml:1", "v1", (decisions.Target("on-call"),))
SOURCES = {
    "events": json.Config(bearer=["token"]),
    "asked": json.Config(encoding="query", token={"query": "key", "values": ["secret"]}),
}


class Service(NamedTuple):
    http: httpx.AsyncClient
    store: Store

    async def one(self) -> tuple[alerts.Alert, bytes]:
        """Return the only alert of the only delivery in the inbox, and the stored body."""
        ((_, fields),) = await self.store.redis.xrange(keys.INBOX)
        (row,) = codec.unpack_delivery(fields[b"h"]).rows
        return row.alert, codec.unpack_body(fields)


@contextlib.asynccontextmanager
async def serve(url: str) -> AsyncIterator[Service]:
    store = Store.connect(url)
    web_server = webhooks.WebhookHandler(
        {name: registry.build(name, config) for name, config in SOURCES.items()},
        lambda _alert, _now: decisions.Decision("k", severities.Severity.MAJOR, RESPONSE),
        inbox=store.inbox,
        quarantine=store.quarantine,
        clock=lambda: NOW,
        randomness=random.Random(3),
    )
    try:
        async with (
            servers.run_server(app.create_app(web_server, checks={})) as (port, _),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1/webhooks") as http_client,
        ):
            yield Service(http_client, store)
    finally:
        await store.aclose()


@pytest.fixture
def with_service(redis_url: str):
    def run(play):
        async def main() -> None:
            async with asyncio.timeout(20), serve(redis_url) as service:
                await play(service)

        asyncio.run(main())

    return run


@pytest.mark.parametrize("mode", [http.to_structured, http.to_binary])
def test_event_of_cloudevents_package_becomes_an_alert(with_service, mode):
    async def play(service):
        attributes = {"source": "/probes", "type": "probe.state", "subject": "disk é"}
        event = v1.CloudEvent(attributes, {"status": "firing", "title": "disk is full"})
        sent = mode(event, event_format.JSONFormat())
        headers = {**sent.headers, "authorization": "Bearer token"}
        answer = await service.http.post("/events", content=sent.body, headers=headers)
        assert answer.status_code == 202
        alert, kept = await service.one()
        assert (alert.title, alert.fingerprint) == ("disk is full", "/probes disk é")
        assert kept == sent.body

    with_service(play)


@pytest.mark.parametrize("more", [{"data": {"state": "down"}}, {"files": {"state": ("s.txt", b"down")}}])
def test_form_of_ordinary_client_becomes_an_alert(with_service, more):
    async def play(service):
        more.setdefault("data", {})
        more["data"] |= {"title": "shop & cart", "dedup_key": "7", "status": "down"}
        answer = await service.http.post("/events", **more, headers={"authorization": "Bearer token"})
        assert answer.status_code == 202
        alert, _ = await service.one()
        assert (alert.title, alert.fingerprint, alert.status) == ("shop & cart", "7", "firing")

    with_service(play)


def test_query_token_authenticates_and_is_not_stored(with_service):
    """Some senders can only call a URL."""

    async def play(service):
        said = {"status": "firing", "title": "shop & cart", "dedup_key": "7"}
        answer = await service.http.get("/asked", params={**said, "key": "secret"})
        assert answer.status_code == 202
        alert, kept = await service.one()
        assert (alert.title, kept) == ("shop & cart", str(httpx.QueryParams(said)).encode())
        assert (await service.http.get("/asked", params=said)).status_code == 401
        assert (await service.http.get("/events")).status_code == 405

    with_service(play)
