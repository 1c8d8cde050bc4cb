"""Health checks and metrics on a separate listener, event loop, and thread.

The event loop that receives deliveries may be busy for seconds with a flood of requests or a large delivery. Probes and
scrapes don't wait for it: they need only the interpreter, which threads share in turns of a few milliseconds.
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Collection, Mapping

import uvloop
from starlette import applications

from router.telemetry import log, registries
from router.web import health, serve

BEAT_SECONDS = 0.5
STALLED_SECONDS = 60.0
"""If the main event loop hasn't run for this long, ``/healthz`` fails, and Kubernetes restarts the process."""

_ANSWER_SECONDS = health.TIMEOUT_SECONDS + 1  # Each check may take the former; the rest is for a busy event loop.

_log = log.get("web")


class Heartbeat:
    """Records when an event loop last ran."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    @property
    def age_seconds(self) -> float:
        """Return the time since the event loop last ran."""
        return time.monotonic() - self._last

    async def beat(self) -> None:
        """Record that the event loop runs, until cancelled."""
        while True:
            self._last = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)


def app(read_states: health.Ask, roles: Collection[registries.Role], heartbeat: Heartbeat) -> applications.Starlette:
    """Make the application: ``/healthz``, ``/readyz``, and ``/metrics``.

    ``read_states`` runs in the current event loop.
    """
    loop = asyncio.get_running_loop()

    async def ask_there() -> Mapping[str, health.CheckResult]:
        future = asyncio.run_coroutine_threadsafe(_states(read_states), loop)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            return {"event loop": health.CheckResult(False, f"no answer within {_ANSWER_SECONDS:g} s")}

    def problem() -> str:
        age = heartbeat.age_seconds
        return f"the event loop has not run for {age:.0f} s" if age > STALLED_SECONDS else ""

    return applications.Starlette(routes=[*health.probes(ask_there, problem), health.metrics_route(roles)])


@contextlib.asynccontextmanager
async def serving(
    read_states: health.Ask, roles: Collection[registries.Role], listener: socket.socket
) -> AsyncIterator[int]:
    """Serve health checks and metrics on ``listener`` within the context. Yields the port."""
    heartbeat = Heartbeat()
    beating = asyncio.create_task(heartbeat.beat())
    server = _Server(app(read_states, roles, heartbeat), listener)
    server.start()
    try:
        yield listener.getsockname()[1]
    finally:
        beating.cancel()
        await asyncio.to_thread(server.stop)


class _Server:
    """Serves an application in a thread with a separate event loop."""

    def __init__(self, app: applications.Starlette, listener: socket.socket) -> None:
        self._app = app
        self._listener = listener
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, and wait until open requests are answered."""
        self._started.wait()
        if self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):  # The event loop has ended.
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(serve.GRACE_SECONDS)

    def _run(self) -> None:
        try:
            uvloop.run(self._serve())
        except Exception:  # noqa: BLE001 - logged; probes fail, and the supervisor restarts the process
            _log.exception("health_server_failed")
        finally:
            # `stop` waits for this event, also if the server failed before it started.
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._started.set()
        await serve.serve(self._app, "", 0, listener=self._listener, stop=self._stopping)


async def _states(read_states: health.Ask) -> Mapping[str, health.CheckResult]:
    return await read_states()
