"""A load generator that one core suffices for: prepared HTTP/1.1 requests over kept connections, answers counted."""

import asyncio
import itertools
import os
import time
from collections import Counter
from collections.abc import Iterable

import uvloop


def pin(core: int) -> None:
    """Keep this process on one core, so that it does not take from the one it measures."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def request(path: str, body: bytes, token: str = "") -> bytes:
    """One request as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    if token:
        head += f"authorization: Bearer {token}\r\n"
    return head.encode() + b"\r\n" + body


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last has come."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._sent_at = 0.0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._run.requests))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 : head.find(b"\r", at) if head.find(b"\r", at) > 0 else None]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        self._buffer = self._buffer[end + 4 + length :]
        self._run.statuses[int(head[9:12])] += 1
        self._run.latencies.append(time.perf_counter() - self._sent_at)
        if time.perf_counter() < self._run.until:
            self._next()
        else:
            self._run.finished(self._transport)


class Run:
    """One measurement: so many connections for so many seconds."""

    def __init__(self, requests: Iterable[bytes], seconds: float, connections: int) -> None:
        self.requests = itertools.cycle(requests)
        self.seconds = seconds
        self.connections = connections
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.until = 0.0
        self._open = connections

    def finished(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
        self._open -= 1
        if not self._open:
            self._done.set_result(None)

    async def _drive(self, port: int) -> float:
        loop = asyncio.get_running_loop()
        self._done = loop.create_future()
        began = time.perf_counter()
        self.until = began + self.seconds
        for _ in range(self.connections):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port)
        await asyncio.wait_for(self._done, self.seconds + 30)
        return time.perf_counter() - began

    def drive(self, port: int) -> float:
        """Answers a second."""
        took = uvloop.run(self._drive(port))
        return sum(self.statuses.values()) / took


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
