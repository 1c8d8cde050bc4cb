"""One connection to the door: uvicorn's protocol with the limits in size, time and number that it does not have."""

import asyncio
from typing import Any, NamedTuple

from uvicorn.protocols.http import httptools_impl

from router.web import problems

MOST_HEADER_BYTES = 64 * 1024
IDLE_SECONDS = 75  # Longer than the minute that most senders and balancers keep a connection.
LAST_SECONDS = 1.0  # How long a connection may stay silent that was made just before the server ends.


class Patience(NamedTuple):
    """How long a request may take to arrive, and how many connections there may be at once.

    ``most_head_bytes`` is how much of requests whose headers are incomplete may be in memory, over all connections.
    """

    receive_seconds: float = 10.0
    most_connections: int = 10_000
    most_head_bytes: int = 16 * 1024 * 1024


class Heads:
    """How many bytes there are of requests whose headers are incomplete, over all connections of a server."""

    size = 0


class Protocol(httptools_impl.HttpToolsProtocol):
    """uvicorn's protocol: headers without end and requests that never become whole are cut off.

    The clock runs only while a request is incomplete, so one that arrives at once costs nothing.
    """

    def __init__(self, *given: Any, patience: Patience, heads: "Heads", **named: Any) -> None:
        super().__init__(*given, **named)
        self._patience = patience
        self._heads = heads
        self._headers_complete = False
        self._head_bytes = 0
        self._incomplete = False
        self._last = False
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or turn it away where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self._patience.most_connections:
            self._end(problems.unavailable("too many connections are open", 1))
        else:
            self._waiting = self.loop.call_later(IDLE_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._wait_no_more()
        self._forget_head()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Answer one more request where one is on its way: who was let in is not sent away without a word."""
        self._last = True
        cycle: Any = self.cycle  # None before the first request.
        answered = cycle is None or cycle.response_complete
        if self._incomplete and answered:
            return  # Of the next request the headers have not come yet.
        if cycle is None:
            self._wait_no_more()
            self._waiting = self.loop.call_later(LAST_SECONDS, self.transport.close)
        else:
            super().shutdown()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. One after the body is a trailer: proxies pass those on as the client sent them."""
        if not self._headers_complete:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer; after the last request the connection is closed."""
        self._headers_complete = True
        super().on_headers_complete()
        if self._last:
            self.cycle.keep_alive = False

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request; the clock runs from its first to its last."""
        if not self._incomplete:
            self._wait_no_more()
        super().data_received(data)
        if self._incomplete:
            self._wait_on(data)
        else:
            self._wait_no_more()
            self._forget_head()

    def _wait_on(self, data: bytes) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(self._patience.receive_seconds, self._too_slow)
        scope: Any = self.scope
        if "path" not in scope:  # Without a path until its headers are whole.
            self._head_bytes += len(data)
            self._heads.size += len(data)
            if self.transport.is_closing():
                return
            if self._head_bytes > MOST_HEADER_BYTES:
                self.send_400_response("The request's headers are too long.")
            elif self._heads.size > self._patience.most_head_bytes:
                self._end(problems.unavailable("too many requests have incomplete headers", 1))
        else:
            self._forget_head()

    def _forget_head(self) -> None:
        self._heads.size -= self._head_bytes
        self._head_bytes = 0

    def on_message_begin(self) -> None:
        """Note that a request began."""
        self._incomplete = True
        self._headers_complete = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        self._incomplete = False
        super().on_message_complete()

    def _too_slow(self) -> None:
        self._waiting = None
        seconds = self._patience.receive_seconds
        self._end(problems.Problem(408, "too-slow", f"the request was not whole after {seconds:g} s"))

    def _end(self, problem: problems.Problem) -> None:
        """Say why, unless something was said already, and close."""
        cycle: Any = self.cycle  # None before the first request.
        if cycle is None or not cycle.response_started or cycle.response_complete:
            headers, body = problems.render(problem, "")
            lines = b"".join(b"%s: %s\r\n" % header for header in headers)
            status = httptools_impl.STATUS_LINE[problem.status]
            self.transport.write(b"%s%sconnection: close\r\n\r\n%s" % (status, lines, body))
        self.transport.close()

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
