"""Hostile requests to a webhook server, and concurrent valid ones on separate connections."""

import asyncio
import contextlib
import gzip
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

MIB = 1024 * 1024
DEADLINE_SECONDS = 120
PROBE_SECONDS = 30  # On a quiet machine, the slowest response takes less than 0.25 s.
HONEST = b'{"status":"firing","title":"t","alias":"a"}'
BEARER = {"Authorization": "Bearer word"}


class Server(Protocol):
    """The ports of a running server."""

    @property
    def port(self) -> int:
        """The port of webhooks."""

    @property
    def health_port(self) -> int:
        """The port of health checks."""


class Request(NamedTuple):
    """A delivery to a source."""

    source: str
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})


async def post(server: Server, request: Request) -> int:
    """Send one request on a new connection. Return its status, or 0 if the connection ended without a response."""
    own = {"Host": "x", "Content-Length": str(len(request.body)), "Connection": "close"}
    lines = "".join(f"{name}: {text}\r\n" for name, text in {**own, **request.headers}.items())
    head = f"POST /v1/webhooks/{request.source} HTTP/1.1\r\n{lines}\r\n"
    line = b""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    except ConnectionError:
        return 0
    try:
        writer.write(head.encode() + request.body)
        line = await reader.readline()
    except ConnectionError:  # The server refused the request before it had the whole body.
        pass
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return int(line.split()[1]) if line else 0


async def probe(server: Server, over: asyncio.Event) -> None:
    """Request ``/healthz`` repeatedly. Each response must arrive within the timeout of a liveness probe."""
    while not over.is_set():
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.health_port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
        await asyncio.sleep(0.05)  # Limit the load of the probes.


def attack(server: Server, *requests: Request, honest: Request, at_once: int = 1) -> set[int]:
    """Send all requests, then a valid delivery, while ``/healthz`` is probed. Return the statuses."""

    async def main() -> set[int]:
        slots = asyncio.Semaphore(at_once)

        async def one(request: Request) -> int:
            async with slots:
                return await post(server, request)

        over = asyncio.Event()
        async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(probe(server, over))
            found = set(await asyncio.gather(*map(one, requests)))
            assert await post(server, honest) == 202
            over.set()
        return found

    return asyncio.run(main())


def bodies(most: int = MIB) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Yield each hostile body with its name and its additional headers.

    The largest have ``most`` bytes, or inflate to far more.
    """
    packed = {"Content-Encoding": "gzip"}
    yield "text that never ends", b'{"title":"' + b"x" * (most - 100) + b'"', {}
    yield "list of empty objects", b"[" + b"{}," * (most // 3 - 1) + b"{}]", {}
    yield "deep lists", b"[" * most, {}
    yield "deep objects", b'{"a":' * (most // 5), {}
    labels = b",".join(b'"l%d":"%d"' % (number, number) for number in range(100_000))[: most - 100]
    yield "100,000 labels", HONEST[:-1] + b',"labels":{' + labels.rpartition(b",")[0] + b"}}", {}
    yield "repeated key", b"{" + b'"title":"t",' * (most // 12 - 10) + b'"status":"firing"}', {}
    yield "digits", b'{"title":"t","starts_at":' + b"1" * (most - 100) + b"}", {}
    yield "escapes", b'{"title":"' + rb"\ud83d" * (most // 6 - 20) + b'"}', {}
    bomb = gzip.compress(b"\0" * (100 * MIB), 1)
    yield "gzip bomb", bomb, packed
    yield "gzip bomb in gzip", gzip.compress(bomb), {"Content-Encoding": "gzip, gzip"}
    yield "gzip of valid JSON", gzip.compress(b'{"title":"' + b"x" * (16 * MIB - 100) + b'"}'), packed
    yield "empty gzip members", (gzip.compress(b"") * (most // 20 + 1))[: most // 20 * 20], packed
