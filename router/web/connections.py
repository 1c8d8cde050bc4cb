"""HTTP connections: uvicorn's protocol with limits on time, size, and number.

A connection is idle while it has no complete request: before its first request, between requests, and while a request
is being received. If the limit on connections is reached, a new connection replaces the one that has been idle for the
longest time. So clients that only hold connections open don't keep senders out.
"""

import asyncio
from typing import Any, NamedTuple

from uvicorn.protocols.http import httptools_impl

from router.web import problems

MAX_HEADER_BYTES = 64 * 1024
MAX_PIPELINED = 100  # Pipelined requests of a client before the first response. Each takes about 3 KiB.
IDLE_SECONDS = 75  # Most senders and load balancers keep a connection for a minute, so this is longer.
LAST_SECONDS = 1.0  # For the request of a connection that was opened just before the server stops.


class ConnectionLimits(NamedTuple):
    """Limits of a server.

    ``request_timeout_seconds`` is the time from the first to the last byte of a request. ``max_head_bytes`` is the
    memory of all requests with incomplete headers.
    """

    request_timeout_seconds: float = 10.0
    max_connections: int = 10_000
    max_head_bytes: int = 16 * 1024 * 1024


class Shared:
    """All connections of a server: the idle ones, the oldest first, and the bytes of incomplete headers."""

    def __init__(self) -> None:
        self.idle: dict[Protocol, None] = {}
        self.head_bytes = 0


class TooManyPipelinedError(Exception):
    """A client has pipelined too many requests; the parser stops, and answers 400."""


class Protocol(httptools_impl.HttpToolsProtocol):
    """uvicorn's protocol within ``Limits``.

    The timer runs only while a request is incomplete, so a request that arrives in one piece costs nothing.
    """

    def __init__(self, *arguments: Any, limits: ConnectionLimits, shared: Shared, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._limits = limits
        self._shared = shared
        self._headers_complete = False
        self._head_bytes = 0
        self._incomplete = False
        self._last = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection. If there are too many, close the oldest idle one, or refuse this one."""
        super().connection_made(transport)
        idle = self._shared.idle
        if len(self.connections) > self._limits.max_connections:
            # Every connection is in use. Evicting one would break off a delivery.
            if not idle:
                self._end(problems.unavailable("too many connections are open (web.max_connections)", 1))
                return
            next(iter(idle)).evict()
        idle[self] = None
        self._timer = self.loop.call_later(IDLE_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._shared.idle.pop(self, None)
        self._stop_timer()
        self._forget_head()
        super().connection_lost(exc)

    def evict(self) -> None:
        """Close an idle connection in favor of a new one."""
        self._shared.idle.pop(self, None)
        # The transport reports the closing later, but the new connection must find room now.
        self.connections.discard(self)
        self.transport.abort()  # close() would wait for a client that doesn't read its last response.

    def shutdown(self) -> None:
        """Answer one more request if one is being received, so that its sender gets a response."""
        self._last = True
        cycle: Any = self.cycle  # None before the first request.
        answered = cycle is None or cycle.response_complete
        # uvicorn would close the connection now. The incomplete request still gets its response.
        if self._incomplete and answered:
            return  # The headers of the next request are incomplete.
        # Without a first request, uvicorn would close the connection immediately, although a request may be in transit.
        if cycle is None:
            self._stop_timer()
            self._timer = self.loop.call_later(LAST_SECONDS, self.transport.close)
        else:
            super().shutdown()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle a header. A trailer, a header after the body, is dropped: proxies forward trailers from clients."""
        if not self._headers_complete:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the response. After the last request the connection is closed."""
        self._headers_complete = True
        super().on_headers_complete()
        # The client learns from `connection: close` that it must not send another request here.
        if self._last:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """Note that the connection is idle, unless the next request is already complete."""
        super().on_response_complete()
        if (self._incomplete or self.cycle.response_complete) and not self.transport.is_closing():
            self._shared.idle.setdefault(self)

    def data_received(self, data: bytes) -> None:
        """Receive bytes of a request. Its timer runs from the first byte to the last."""
        # The first byte of the next request ends the idle time.
        if not self._incomplete:
            self._stop_timer()
        super().data_received(data)
        if self._incomplete:
            self._await_more(data)
        else:
            self._stop_timer()
            self._forget_head()

    def _await_more(self, data: bytes) -> None:
        # The timer isn't restarted by later bytes: a sender that sends one byte at a time would never time out.
        if self._timer is None:
            self._timer = self.loop.call_later(self._limits.request_timeout_seconds, self._time_out)
        scope: Any = self.scope
        if "path" not in scope:  # uvicorn sets the path when the headers are complete.
            self._head_bytes += len(data)
            self._shared.head_bytes += len(data)
            # uvicorn has refused the request already.
            if self.transport.is_closing():
                return
            # Headers are in no budget yet, so each connection has a limit, and all connections together have another.
            if self._head_bytes > MAX_HEADER_BYTES:
                self.send_400_response("The request's headers are too long.")
            elif self._shared.head_bytes > self._limits.max_head_bytes:
                self._end(problems.unavailable("too many requests have incomplete headers", 1))
        else:
            self._forget_head()

    def _forget_head(self) -> None:
        self._shared.head_bytes -= self._head_bytes
        self._head_bytes = 0

    def on_message_begin(self) -> None:
        """Note that a request has started."""
        # Pipelined requests are parsed before the first one is answered, so their number is limited.
        if len(self.pipeline) >= MAX_PIPELINED:
            raise TooManyPipelinedError
        self._incomplete = True
        self._headers_complete = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that a request is complete."""
        self._incomplete = False
        if not self.cycle.response_complete:
            self._shared.idle.pop(self, None)
        super().on_message_complete()

    def _time_out(self) -> None:
        self._timer = None
        seconds = self._limits.request_timeout_seconds
        self._end(problems.Problem(408, "too-slow", f"the request was not complete after {seconds:g} s"))

    def _end(self, problem: problems.Problem) -> None:
        """Send the problem, unless a response has started, and close the connection."""
        cycle: Any = self.cycle  # None before the first request.
        # After the response has started, a second status line would corrupt it.
        if cycle is None or not cycle.response_started or cycle.response_complete:
            headers, body = problems.render(problem, "")
            lines = b"".join(b"%s: %s\r\n" % header for header in headers)
            status = httptools_impl.STATUS_LINE[problem.status]
            self.transport.write(b"%s%sconnection: close\r\n\r\n%s" % (status, lines, body))
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
