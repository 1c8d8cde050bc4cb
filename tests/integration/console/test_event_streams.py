"""Event streams of the console: bounded for each token, and ended when the token is revoked."""

import asyncio
import contextlib

import pytest

from router.console import sse
from tests.integration import consoles


@pytest.fixture
def play(with_redis, tmp_path):
    return lambda body: consoles.run(with_redis, tmp_path, body)


async def open_stream(stack: contextlib.AsyncExitStack, client) -> int:
    """Open an event stream, wait for its first bytes, and keep it open. Return the status."""
    answer = await stack.enter_async_context(client.stream("GET", "/events"))
    if answer.status_code == 200:
        parts = await stack.enter_async_context(contextlib.aclosing(answer.aiter_bytes()))
        await anext(parts)
    return answer.status_code


def test_event_streams_are_limited_per_token(play, monkeypatch):
    monkeypatch.setattr(sse, "MAX_PER_PERSON", 3)

    async def body(at):
        greedy, other = await at.client_for("viewer", "greedy"), await at.client_for("viewer", "other")
        async with contextlib.AsyncExitStack() as stack:
            assert [await open_stream(stack, greedy) for _ in range(4)] == [200, 200, 200, 503]
            assert await open_stream(stack, other) == 200

    play(body)


def test_closed_stream_frees_its_slot(play, monkeypatch):
    monkeypatch.setattr(sse, "MAX_PER_PERSON", 1)

    async def body(at):
        client = await at.client_for("viewer")
        async with contextlib.AsyncExitStack() as stack:
            assert await open_stream(stack, client) == 200
        async with asyncio.timeout(30):
            while True:  # The server needs a moment to notice the disconnect.
                async with contextlib.AsyncExitStack() as stack:
                    if await open_stream(stack, client) == 200:
                        return

    play(body)


def test_revoking_a_token_ends_its_event_stream(play, monkeypatch):
    monkeypatch.setattr(sse, "COMMENT_SECONDS", 0.05)

    async def body(at):
        client, admin = await at.client_for("viewer", "leaver"), await at.client_for("admin")
        async with client.stream("GET", "/events") as answer:
            parts = answer.aiter_bytes()
            await anext(parts)
            (token,) = [
                item for item in (await admin.get("/api/v1/tokens")).json()["items"] if item["name"] == "leaver"
            ]
            assert (await admin.delete(f"/api/v1/tokens/{token['id']}")).status_code < 300
            async with asyncio.timeout(30):
                async for _ in parts:
                    pass

    play(body)


def test_stream_lasts_as_long_as_its_token(play, monkeypatch):
    monkeypatch.setattr(sse, "COMMENT_SECONDS", 0.02)

    async def body(at):
        async with (await at.client_for("viewer")).stream("GET", "/events") as answer:
            seen = b""
            async with asyncio.timeout(30):
                async for part in answer.aiter_bytes():
                    seen += part
                    if seen.count(b": still here") >= 3:
                        return

    play(body)
