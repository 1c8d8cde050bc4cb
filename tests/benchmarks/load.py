"""A load generator that needs one core: HTTP/1.1 over keep-alive connections, with counted and timed responses.

Closed loop: each connection sends its next request after the response to the last one. This finds a server's maximum
rate. Open loop: requests are due at a fixed rate, regardless of responses, and times count from when a request was
due. A server that stalls can't hide the waiting time.
"""

import asyncio
import os
import re
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator

import uvloop

_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_PATIENCE_SECONDS = 60.0


def pin(core: int) -> None:
    """Pin this process to one core, so that it takes no time from the measured process."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def request(path: str, body: bytes, token: str = "") -> bytes:
    """Return the bytes of one request."""
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    if token:
        head += f"authorization: Bearer {token}\r\n"
    return head.encode() + b"\r\n" + body


def percentile(values: list[float], share: float) -> float:
    """Return the percentile for this share of the values, without interpolation."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Connection(asyncio.Protocol):
    """Send one request at a time, and report each response to the run."""

    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._buffer = b""
        self._since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = transport.write  # type: ignore[attr-defined]
        self.close = transport.close
        self._run.idle(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._run.lost(error)

    def send(self, data: bytes, since: float) -> None:
        self._since = since
        self._write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(buffer, 0, end)
        if len(buffer) < end + 4 + (int(length[1]) if length else 0):
            return
        self._buffer = b""
        self._run.answered(int(buffer[9:12]), time.perf_counter() - self._since)
        self._run.idle(self)


class _Run:
    """The base of all runs: count responses, and detect the end."""

    def __init__(self, requests: Iterable[bytes]) -> None:
        self.requests: Iterator[bytes] = iter(requests)
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.began = 0.0
        self.seconds = 0.0
        self._connections: list[_Connection] = []
        self._closing = False

    @property
    def rate(self) -> float:
        """Responses per second."""
        return sum(self.statuses.values()) / self.seconds

    def only(self, *statuses: int) -> None:
        """Raise an error if a response has any other status."""
        wrong = {status: count for status, count in self.statuses.items() if status not in statuses}
        if wrong or not self.statuses:
            raise SystemExit(f"answers were not as expected: {wrong or 'there were none'}")

    def answered(self, status: int, seconds: float) -> None:
        self.statuses[status] += 1
        self.latencies.append(seconds)

    def idle(self, connection: _Connection) -> None:
        """Handle a connection without a request in flight. Subclasses decide what it sends next."""

    def lost(self, error: Exception | None) -> None:
        if not self._closing and not self._done.done():
            self._done.set_exception(ConnectionError(f"the server closed a connection: {error}"))

    def finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    async def run(self, port: int) -> None:
        """Drive the server at this port of the loopback address, and fill in the figures."""
        self._port = port
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.began = time.perf_counter()
        try:
            await self._start()
            await asyncio.wait_for(self._done, max(0.0, self._until() - time.perf_counter()) + _PATIENCE_SECONDS)
        finally:
            self.seconds = time.perf_counter() - self.began
            self._closing = True
            for connection in self._connections:
                connection.close()

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        self._connections.append(connection)

    async def _start(self) -> None:
        """Start the connections."""

    def _until(self) -> float:
        """Return the latest time for the end of the run, by ``time.perf_counter``."""

    def drive(self, port: int) -> float:
        """Call ``run`` in a new event loop. Return the responses per second."""
        uvloop.run(self.run(port))
        return self.rate


class Closed(_Run):
    """A number of connections for a number of seconds, or until the requests are used up."""

    def __init__(self, requests: Iterable[bytes], connections: int, seconds: float = 600.0) -> None:
        super().__init__(requests)
        self._count = self._busy = connections
        self._most_seconds = seconds

    def idle(self, connection: _Connection) -> None:
        now = time.perf_counter()
        data = next(self.requests, None) if now < self._until() else None
        if data is not None:
            connection.send(data, now)
            return
        self._busy -= 1
        if not self._busy:
            self.finish()

    async def _start(self) -> None:
        for _ in range(self._count):
            await self.connect()

    def _until(self) -> float:
        return self.began + self._most_seconds


class Open(_Run):
    """Send requests at a fixed rate until they are used up. ``due`` is when each request had to be sent."""

    def __init__(self, requests: Iterable[bytes], rate: float) -> None:
        super().__init__(requests)
        self.due: list[float] = []
        self._asked_rate = rate
        self._all_due = False
        self._idle: list[_Connection] = []
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._opening: set[asyncio.Task[None]] = set()

    def idle(self, connection: _Connection) -> None:
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def answered(self, status: int, seconds: float) -> None:
        super().answered(status, seconds)
        self._finish_if_all_are_answered()

    async def _start(self) -> None:
        self.began = time.perf_counter()
        for number, data in enumerate(self.requests):
            due = self.began + number / self._asked_rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            self.due.append(due)
            self._waiting.append((data, due))
            if self._idle:
                self.idle(self._idle.pop())
            else:
                task = asyncio.create_task(self.connect())
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)
        self._all_due = True
        self._finish_if_all_are_answered()

    def _finish_if_all_are_answered(self) -> None:
        if self._all_due and len(self.latencies) == len(self.due):
            self.finish()

    def _until(self) -> float:
        return time.perf_counter()
