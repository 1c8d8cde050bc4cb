"""Socket Mode: receives what Slack sends over a WebSocket that the router opens, so no endpoint has to be public.

Each process with the console keeps one connection, and Slack sends each envelope to one of an app's connections. Slack
replaces a connection every few hours: it announces the end, and the client opens the next connection before it closes
the old one. An envelope that isn't acknowledged within 3 seconds comes again, perhaps to another process.

Example of one replacement::

    connection A: hello, envelopes …, disconnect (refresh_requested)
    connection B:                       opened, hello, envelopes …
    connection A:                       answers what it has received, closed by Slack or after 10 seconds
"""

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

from router.domain import identity
from router.domain.undecodable import Undecodable
from router.outbound import backoff, errors, websocket
from router.telemetry import log, metrics

Kind = Literal["interactive", "slash_commands", "events"]
Handle = Callable[[Kind, Mapping[str, Any]], Awaitable[Mapping[str, Any] | None]]
_KINDS: Mapping[str, Kind] = {"interactive": "interactive", "slash_commands": "slash_commands", "events_api": "events"}
_ANSWERS = 1000  # Of how many envelopes the answers are remembered.
_DISABLED = "link_disabled"
# Slack announces these ends of a connection. The next one may be opened at once.
_PLANNED = frozenset({"refresh_requested", "warning"})
_FAILED = "The router could not do this. Look at the console."
_log = log.get("management")


@dataclass(frozen=True)
class Timing:
    """Limits in seconds.

    A connection needs its hello within ``hello``. Each ``ping`` seconds, a ping is sent that Slack has to answer within
    as many seconds. An envelope is acknowledged after ``answer`` at the latest. A replaced connection stays open for
    ``drain``. One that ended before ``settled`` counts as a failed attempt. Attempts are ``backoff`` to ``cap`` apart.
    """

    hello: float = 10.0
    ping: float = 10.0
    answer: float = 2.8
    drain: float = 10.0
    settled: float = 30.0
    backoff: float = 1.0
    cap: float = 60.0


class _Envelope(NamedTuple):
    """What Slack sends. ``accepts``: the acknowledgement may have a body."""

    identity: str
    kind: Kind | None
    payload: Mapping[str, Any]
    accepts: bool


class _Connection:
    """One connection after its hello. ``is_leaving`` is set when Slack announces its end, or when it is closed."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self.socket = socket
        self.is_leaving = asyncio.Event()
        self.reason = ""
        self._limit = asyncio.timeout(None)

    async def run(self, receive: Callable[["_Connection", Any], None]) -> None:
        """Pass on decoded messages until the connection is closed, or has stayed open for as long as it may."""
        try:
            async with self._limit:
                async for message in self.socket.messages():
                    receive(self, _decoded(message))
        except TimeoutError:
            pass  # It was replaced, and Slack has not closed it.
        finally:
            self.is_leaving.set()
            await self.socket.close()

    def leave(self, reason: str) -> None:
        """Note that Slack is about to close the connection."""
        self.reason = reason
        self.is_leaving.set()

    def retire(self, seconds: float) -> None:
        """Close the connection in so many seconds, if Slack doesn't."""
        with contextlib.suppress(RuntimeError):  # It has been closed already.
            self._limit.reschedule(asyncio.get_running_loop().time() + seconds)


class SocketMode:
    """Keeps a connection to Slack. ``open_url`` asks Slack for the URL of a new connection, and raises ``Failure``.

    ``handle`` answers payloads; it may be called again with the same payload after a lost acknowledgement.
    """

    def __init__(
        self,
        open_url: Callable[[], Awaitable[str]],
        handle: Handle,
        randomness: identity.Randomness,
        timing: Timing | None = None,
    ) -> None:
        self._open_url = open_url
        self._handle = handle
        self._randomness = randomness
        self._timing = timing or Timing()
        self._connections: dict[_Connection, asyncio.Task[None]] = {}
        self._answers: collections.OrderedDict[str, asyncio.Task[Mapping[str, Any] | None]] = collections.OrderedDict()
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Receive for the length of the block. Payloads under way are answered before the block ends."""
        metrics.slack_connected.set(0)
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            # Envelopes that arrive from now on aren't acknowledged: Slack sends them to another process.
            self._is_stopping = True
            task.cancel()
            await asyncio.wait({task})
            if self._acknowledging:
                await asyncio.wait(set(self._acknowledging))
            ending = set(self._connections.values())
            for one in ending:
                one.cancel()
            if ending:
                await asyncio.wait(ending)

    async def _run(self) -> None:
        """Keep one connection that Slack has not announced to end."""
        failures = 0
        while True:
            try:
                connection = await self._connect()
            except errors.Failure as failure:
                failures += 1
                await self._pause(failures, failure.message, getattr(failure, "retry_after", None) or 0.0)
                continue
            except Exception:  # noqa: BLE001 - a process that stops trying would stay deaf until it is restarted
                failures += 1
                _log.exception("slack_connection_failed")
                await self._pause(failures, "internal error")
                continue
            opened_at = self._now()
            self._replace(connection)
            await connection.is_leaving.wait()
            # A connection that ends right after its hello, again and again, must not be replaced without a pause.
            failures = failures + 1 if self._now() - opened_at < self._timing.settled else 0
            _log.info("slack_reconnecting", reason=connection.reason or "closed")
            if connection.reason not in _PLANNED or failures > 1:
                await self._pause(max(failures, 1), connection.reason or "closed")

    async def _connect(self) -> _Connection:
        """Open a connection, and wait for its hello. Raises ``errors.Failure``."""
        timing = self._timing
        # The URL is good for one connection, so each attempt asks for another one.
        socket = await websocket.WebSocket.connect(
            await self._open_url(), timeout_seconds=timing.hello, ping_seconds=timing.ping
        )
        try:
            message = _hello(_decoded(await socket.receive(timing.hello)))
        except BaseException:
            await socket.close()
            raise
        _log.info("slack_connected", connections=message.get("num_connections"))
        return _Connection(socket)

    def _replace(self, connection: _Connection) -> None:
        for old in self._connections:
            old.retire(self._timing.drain)
        task = asyncio.create_task(connection.run(self._receive))
        self._connections[connection] = task
        metrics.slack_connected.set(1)
        task.add_done_callback(lambda _: self._forget(connection))

    def _forget(self, connection: _Connection) -> None:
        del self._connections[connection]
        if not self._connections:
            metrics.slack_connected.set(0)

    async def _pause(self, failures: int, reason: str, at_least: float = 0.0) -> None:
        timing = self._timing
        seconds = backoff.full_jitter(
            failures, self._randomness, base_seconds=timing.backoff, cap_seconds=timing.cap, at_least=at_least
        )
        # Somebody has to turn Socket Mode on again. Slack would answer faster attempts in the same way.
        seconds = max(seconds, timing.cap) if reason == _DISABLED else seconds
        _log.warning("slack_connection_failed", reason=reason, failures=failures, retry_seconds=round(seconds, 3))
        await asyncio.sleep(seconds)

    def _receive(self, connection: _Connection, message: Mapping[str, Any]) -> None:
        """Note an announced end, or begin to answer an envelope. Other messages have no meaning for the router."""
        if message.get("type") == "disconnect":
            connection.leave(str(message.get("reason", "")))
            return
        envelope = _envelope(message)
        if envelope is None or self._is_stopping:
            return
        task = asyncio.create_task(self._acknowledge(connection, envelope))
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _acknowledge(self, connection: _Connection, envelope: _Envelope) -> None:
        body = await self._answer(envelope)
        said: dict[str, Any] = {"envelope_id": envelope.identity}
        if envelope.accepts and body:
            said["payload"] = body
        try:
            await connection.socket.send(msgspec.json.encode(said).decode())
        except errors.Temporary:
            # Slack sends the envelope again. The answer is remembered, so the payload has no second effect.
            _log.warning("slack_acknowledgement_lost", kind=envelope.kind)

    async def _answer(self, envelope: _Envelope) -> Mapping[str, Any] | None:
        """Return the answer in time, and the same one for an envelope that comes again."""
        if envelope.kind is None:
            return None
        answer = self._answers.get(envelope.identity)
        if answer is None:
            answer = asyncio.ensure_future(self._handled(envelope.kind, envelope.payload))
            self._answers[envelope.identity] = answer
            while len(self._answers) > _ANSWERS:
                self._answers.popitem(last=False)
        # Handling continues after the time limit: to cancel it would leave a half-done action behind.
        done, _ = await asyncio.wait({answer}, timeout=self._timing.answer)
        return answer.result() if done else _apology(envelope.kind)

    async def _handled(self, kind: Kind, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
        try:
            return await self._handle(kind, payload)
        except Exception:  # noqa: BLE001 - without an acknowledgement, Slack would repeat what fails
            _log.exception("slack_envelope_failed", kind=kind)
            return _apology(kind)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _decoded(message: str | bytes) -> Mapping[str, Any]:
    """Return a message; empty if it isn't a JSON object."""
    try:
        decoded = msgspec.json.decode(message)
    except Undecodable:
        decoded = None
    if not isinstance(decoded, dict):
        _log.warning("slack_message_ignored")
        return {}
    return decoded


def _hello(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message if it is a hello. Slack refuses a connection by a disconnect message instead."""
    if message.get("type") == "hello":
        return message
    raise errors.Temporary(
        str(message.get("reason") or "no hello") if message.get("type") == "disconnect" else "no hello"
    )


def _envelope(message: Mapping[str, Any]) -> _Envelope | None:
    identity_, payload = message.get("envelope_id"), message.get("payload")
    if not isinstance(identity_, str):
        return None
    kind = _KINDS.get(str(message.get("type"))) if isinstance(payload, dict) else None
    accepts = message.get("accepts_response_payload") is True
    return _Envelope(identity_, kind, payload if isinstance(payload, dict) else {}, accepts)


def _apology(kind: Kind) -> Mapping[str, Any] | None:
    """Return the answer to a payload that could not be handled. Only a command can be answered with a text."""
    return {"response_type": "ephemeral", "text": _FAILED} if kind == "slash_commands" else None
