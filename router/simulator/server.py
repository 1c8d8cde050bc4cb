"""Runs the simulator on the running event loop, or in a separate thread of a test."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Self

import uvicorn
from starlette import applications

from router.simulator import app, options, snapshot

_POLL_SECONDS = 0.005
_REMEMBER_SECONDS = 1.0


class _Uvicorn(uvicorn.Server):
    """A server that leaves signals to the process that runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


@contextlib.asynccontextmanager
async def running(
    settings: options.Options | None = None, listener: socket.socket | None = None, memory: Path | None = None
) -> AsyncIterator[str]:
    """Run the simulator during the block, on a free port of this machine, and yield its base URL.

    ``listener``, created by ``listen``, replaces the free port. ``memory`` is a file in which the vendors keep their
    state between runs.
    """
    listener = listener or listen()
    host = listener.getsockname()[0]
    # Like a real vendor, the simulator still has the incidents of the last run when the router starts again.
    application = app.create_app(settings, snapshot.load(memory) if memory else None)
    server = _make(application)
    remembering = asyncio.create_task(_remember(application, memory)) if memory else None
    # The socket already listens: a call that arrives before the server has started waits in the socket's backlog.
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()
        if memory and remembering:
            remembering.cancel()
            snapshot.save(application.state.vendors, memory)


async def _remember(application: applications.Starlette, memory: Path) -> None:
    """Save the vendors' state periodically, if there were calls since the last time."""
    seen = 0
    while True:
        await asyncio.sleep(_REMEMBER_SECONDS)
        # Most seconds have no calls. Without this comparison, an idle simulator would write its file all the time.
        calls = len(application.state.calls.all)
        if calls != seen:
            seen = calls
            snapshot.save(application.state.vendors, memory)


class Server:
    """The simulator in a thread, on a free port of this machine: ``with Server() as simulator: simulator.url``."""

    def __init__(self, settings: options.Options | None = None) -> None:
        self.app: applications.Starlette = app.create_app(settings)
        self._server = _make(self.app)
        self._listener = listen()
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> str:
        """Start the simulator. Return the base URL when the simulator accepts calls."""
        self._thread.start()
        # The second condition ends the wait if the server fails to start.
        while not self._server.started and self._thread.is_alive():
            self._thread.join(_POLL_SECONDS)
        return self.url

    def stop(self) -> None:
        """Stop the simulator. Calls that hang are dropped."""
        self._server.should_exit = True
        # Without it, a test would wait for the end of each call that a fault makes hang.
        self._server.force_exit = True
        self._thread.join()
        self._listener.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Return a listener that sends responses without delay.

    It sets ``TCP_NODELAY``, which asyncio doesn't set on a given socket.

    Raises ``OSError`` if the address is in use.
    """
    listener = socket.create_server((host, port))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _make(application: applications.Starlette) -> _Uvicorn:
    # Without logs, only the router's log is shown. Calls that hang don't delay the shutdown.
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        timeout_graceful_shutdown=1,
    )
    return _Uvicorn(config)
