"""The HTTP server: uvicorn on the running event loop, stopped by cancellation or an event."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette import types

from router.web import connections

GRACE_SECONDS = 20  # For requests in flight. Kubernetes kills the process after 30.
_BACKLOG = 2048


class _Server(uvicorn.Server):
    """A server that leaves signals to its process."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: the process handles signals, also for the worker."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and call ``on_started``."""
        await super().startup(sockets)
        self._on_started()


async def serve(
    app: types.ASGIApp,
    host: str,
    port: int,
    on_started: Callable[[int], None] | None = None,
    limits: connections.ConnectionLimits | None = None,
    *,
    listener: socket.socket | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until cancelled or until ``stop`` is set. Requests in flight then have ``GRACE_SECONDS`` to complete.

    ``port`` 0 takes a free port. With a ``listener``, made by ``listen``, host and port are ignored. ``on_started`` is
    called with the port once connections are accepted. The caller handles signals. Raises ``OSError`` if the address
    can't be bound.
    """
    listener = listener or listen(host, port)
    bound_port = listener.getsockname()[1]
    server = _Server(
        _config(app, limits or connections.ConnectionLimits()), lambda: on_started(bound_port) if on_started else None
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task((stop or asyncio.Event()).wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        # A cancellation must not abort the server itself: requests in flight still have their time to complete.
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        # The requests in flight complete before the cancellation continues.
        await serving
        raise
    finally:
        stopping.cancel()
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address; port 0 takes a free port. Raises ``OSError`` if the address is in use.

    Connections are queued until they are served. ``::`` is every IPv6 and IPv4 address, even if the kernel has no IPv6.
    """
    if host == "::" and not _has_ipv6():
        host = "0.0.0.0"  # noqa: S104 - it was asked for
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)


def _has_ipv6() -> bool:
    """Return whether the kernel creates IPv6 sockets. With the boot option ``ipv6.disable=1``, the kernel doesn't."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


def _config(app: types.ASGIApp, limits: connections.ConnectionLimits) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=functools.partial(connections.Protocol, limits=limits, shared=connections.Shared()),  # type: ignore[arg-type]
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        # The router reads X-Forwarded-For itself, because only trusted proxies may set it.
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=connections.IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
