"""A sender without a network: one request to an ASGI application, and its response."""

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from router.domain import decisions, deliveries, severities
from router.sources import registry
from router.store import errors
from router.web import webhooks

NOW = 1_772_450_000_000_000
BECAUSE = decisions.Because("checkout-down", "a.yaml:3", (("labels.service", '= "checkout"'), ("", "expr true")))
RESPONSE = decisions.Response(
    "checkout-down", "a.yaml:3", "v7", (decisions.Target("on-call", publish="auto"),),
    owner="team-checkout", runbook="look at the provider", because=(BECAUSE,),
)  # fmt: skip


class Answer(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Recording:
    """An inbox and a quarantine that record what they receive, or fail on request."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.accepted: list[tuple[deliveries.Delivery, bytes]] = []
        self.refusals: list[tuple[str, str, int]] = []
        self.kept: list[tuple[str, bytes, dict[str, str], str, int]] = []

    async def accept(self, entry: deliveries.Delivery, body: bytes) -> None:
        if self.failure:
            raise self.failure
        self.accepted.append((entry, body))

    async def count_refused(self, source: str, problem: str, now: int) -> None:
        if isinstance(self.failure, errors.Unavailable):
            raise self.failure
        self.refusals.append((source, problem, now))

    async def add(self, source: str, body: bytes, headers: Any, problem: str, now: int) -> str:
        if isinstance(self.failure, errors.Unavailable):
            raise self.failure
        self.kept.append((source, body, dict(headers), problem, now))
        return f"kept-{len(self.kept)}"


def decide(alert: Any, _: int) -> decisions.Decision:
    if alert.labels.get("env") == "staging":
        return decisions.Decision(ignored="no rule matches")
    return decisions.Decision(f"checkout/{alert.labels.get('region', '')}", severities.Severity.MAJOR, RESPONSE)


def web_server(store: Recording, **settings: Any) -> webhooks.WebhookHandler:
    endpoints = settings.pop("endpoints", None) or {
        "prod": registry.build("prod", registry.KINDS["alertmanager"].config(bearer=["token"], basic=["ann:word"])),
        "any": registry.build("any", registry.KINDS["json"].config(bearer=["token"])),
        "open": registry.build("open", registry.KINDS["json"].config(auth="none")),
    }
    return webhooks.WebhookHandler(
        endpoints,
        settings.pop("decide", decide),
        inbox=store,
        quarantine=store,
        clock=lambda: NOW,
        randomness=random.Random(7),
        **settings,
    )


def send(app: Any, path: str, **request: Any) -> Answer | None:
    """Send one request in a new event loop. Return None without a response."""
    return asyncio.run(send_chunks(app, path, **request))


async def send_chunks(
    app: Any,
    path: str,
    *,
    method: str = "POST",
    chunks: Sequence[bytes | None] = (b"",),
    headers: Sequence[tuple[bytes, bytes]] = ((b"authorization", b"Bearer token"),),
    query: bytes = b"",
    client: tuple[str, int] | None = None,
) -> Answer | None:
    """Send the request in chunks; the chunk None disconnects. Return None without a response."""
    waiting = [
        {"type": "http.disconnect"}
        if chunk is None
        else {"type": "http.request", "body": chunk, "more_body": place < len(chunks) - 1}
        for place, chunk in enumerate(chunks)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "server": ("here", 80),
        "client": client,
        "query_string": query,
        "headers": [(name, value) for name, value in headers],
    }
    await app(scope, receive, send)
    if not sent:
        return None
    start, *rest = sent
    body = b"".join(message.get("body", b"") for message in rest)
    answer = Answer(start["status"], dict(start["headers"]), body)
    assert int(answer.headers[b"content-length"]) == len(body) or method == "HEAD"
    return answer
