"""Socket Mode: receives Slack's payloads over a WebSocket that the router opens, so it needs no public endpoint.

Each process with the console keeps one connection. Slack sends each envelope to one of the app's connections, and
replaces a connection every few hours: Slack announces the end, and the client opens the next connection before the old
one closes. If an envelope isn't acknowledged within 3 seconds, Slack sends it again, possibly to another process.

Example of one replacement::

    connection A: hello, envelopes …, disconnect (refresh_requested)
    connection B:                       opened, hello, envelopes …
    connection A:                       acknowledges received envelopes, closed by Slack or after 10 seconds
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
_ANSWERS = 1000  # The number of envelopes whose answers are cached.
_DISABLED = "link_disabled"
# Slack announces these disconnects, so the client reconnects without a pause.
_PLANNED = frozenset({"refresh_requested", "warning"})
_FAILED = "The router could not do this. Check the console."
_log = log.get("management")


@dataclass(frozen=True)
class ConnectionTimeouts:
    """Limits in seconds.

    Slack must send hello within ``hello``. The client pings every ``ping`` seconds, and Slack must answer within the
    same time. An envelope is acknowledged within ``answer``. A replaced connection stays open for up to ``drain``. A
    connection that ends before ``settled`` counts as a failed attempt. Retries wait ``backoff`` to ``cap``, with full
    jitter.
    """

    hello: float = 10.0
    ping: float = 10.0
    answer: float = 2.8
    drain: float = 10.0
    settled: float = 30.0
    backoff: float = 1.0
    cap: float = 60.0


class _Envelope(NamedTuple):
    """A payload to acknowledge. ``accepts`` is true if the acknowledgement may have a body."""

    identity: str
    kind: Kind | None
    payload: Mapping[str, Any]
    accepts: bool


class _Connection:
    """A connection after its hello. ``is_leaving`` is set when Slack announces its end, or when it closes."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self.socket = socket
        self.is_leaving = asyncio.Event()
        self.reason = ""
        self._limit = asyncio.timeout(None)

    async def run(self, receive: Callable[["_Connection", Any], None]) -> None:
        """Pass decoded messages to ``receive`` until the connection closes or its limit expires (see ``retire``)."""
        try:
            async with self._limit:
                async for message in self.socket.messages():
                    receive(self, _decode_message(message))
        except TimeoutError:
            pass  # The connection was replaced, and Slack hasn't closed it.
        finally:
            self.is_leaving.set()
            await self.socket.close()

    def leave(self, reason: str) -> None:
        """Record that Slack is about to close the connection, with Slack's reason."""
        self.reason = reason
        self.is_leaving.set()

    def retire(self, seconds: float) -> None:
        """Close the connection after ``seconds``, unless Slack closes it earlier."""
        with contextlib.suppress(RuntimeError):  # The connection is already closed.
            self._limit.reschedule(asyncio.get_running_loop().time() + seconds)


class SocketMode:
    """Keeps one connection to Slack. ``open_url`` requests the URL of a new connection; it raises ``Failure``.

    ``handle`` returns the answer to a payload. It must be idempotent, because Slack repeats a payload whose
    acknowledgement is lost.
    """

    def __init__(
        self,
        open_url: Callable[[], Awaitable[str]],
        handle: Handle,
        randomness: identity.Randomness,
        timing: ConnectionTimeouts | None = None,
    ) -> None:
        self._open_url = open_url
        self._handle = handle
        self._randomness = randomness
        self._timing = timing or ConnectionTimeouts()
        self._connections: dict[_Connection, asyncio.Task[None]] = {}
        self._answers: collections.OrderedDict[str, asyncio.Task[Mapping[str, Any] | None]] = collections.OrderedDict()
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Receive payloads while the block runs. Acknowledge all received payloads before the context exits."""
        metrics.slack_connected.set(0)
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            # Don't acknowledge later envelopes, so that Slack sends them to another process.
            self._is_stopping = True
            task.cancel()
            await asyncio.wait({task})
            if self._acknowledging:
                await asyncio.wait(set(self._acknowledging))
            # Connections close last, since acknowledgements go through them.
            ending = set(self._connections.values())
            for ending_task in ending:
                ending_task.cancel()
            if ending:
                await asyncio.wait(ending)

    async def _run(self) -> None:
        """Keep one connection open, and replace it when Slack announces its end. Retry failures with backoff."""
        failures = 0
        while True:
            try:
                connection = await self._connect()
            except errors.Failure as failure:
                failures += 1
                await self._pause(failures, failure.message, getattr(failure, "retry_after", None) or 0.0)
                continue
            except Exception:  # noqa: BLE001 - without retries, the process would receive nothing until a restart
                failures += 1
                _log.exception("slack_connection_failed")
                await self._pause(failures, "internal error")
                continue
            opened_at = self._now()
            self._replace(connection)
            await connection.is_leaving.wait()
            # Connections that repeatedly end right after their hello must not be replaced without a pause.
            failures = failures + 1 if self._now() - opened_at < self._timing.settled else 0
            _log.info("slack_reconnecting", reason=connection.reason or "closed")
            # Slack announces planned replacements in advance, so the new connection opens without a pause.
            if connection.reason not in _PLANNED or failures > 1:
                await self._pause(max(failures, 1), connection.reason or "closed")

    async def _connect(self) -> _Connection:
        """Open a connection and wait for its hello. Raises ``errors.Failure``."""
        timing = self._timing
        # A URL works for one connection, so each attempt requests a new URL.
        socket = await websocket.WebSocket.connect(
            await self._open_url(), timeout_seconds=timing.hello, ping_seconds=timing.ping
        )
        try:
            message = _hello(_decode_message(await socket.receive(timing.hello)))
        except BaseException:
            await socket.close()
            raise
        _log.info("slack_connected", connections=message.get("num_connections"))
        return _Connection(socket)

    def _replace(self, connection: _Connection) -> None:
        # Slack may still send envelopes on the old connection until it closes.
        for old in self._connections:
            old.retire(self._timing.drain)
        task = asyncio.create_task(connection.run(self._receive))
        self._connections[connection] = task
        metrics.slack_connected.set(1)
        task.add_done_callback(lambda _: self._forget(connection))

    def _forget(self, connection: _Connection) -> None:
        del self._connections[connection]
        # The metric is about all connections, and a replacement overlaps with the old one.
        if not self._connections:
            metrics.slack_connected.set(0)

    async def _pause(self, failures: int, reason: str, at_least: float = 0.0) -> None:
        timing = self._timing
        seconds = backoff.full_jitter(
            failures, self._randomness, base_seconds=timing.backoff, cap_seconds=timing.cap, at_least=at_least
        )
        # An operator has to enable Socket Mode in Slack, so faster attempts can't succeed.
        seconds = max(seconds, timing.cap) if reason == _DISABLED else seconds
        _log.warning("slack_connection_failed", reason=reason, failures=failures, retry_seconds=round(seconds, 3))
        await asyncio.sleep(seconds)

    def _receive(self, connection: _Connection, message: Mapping[str, Any]) -> None:
        """Handle a disconnect announcement or an envelope. Ignore other messages."""
        if message.get("type") == "disconnect":
            connection.leave(str(message.get("reason", "")))
            return
        envelope = _envelope(message)
        # Slack sends an unacknowledged envelope to another connection.
        if envelope is None or self._is_stopping:
            return
        task = asyncio.create_task(self._acknowledge(connection, envelope))
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _acknowledge(self, connection: _Connection, envelope: _Envelope) -> None:
        body = await self._answer(envelope)
        acknowledgement: dict[str, Any] = {"envelope_id": envelope.identity}
        # Slack refuses an acknowledgement with an unexpected body.
        if envelope.accepts and body:
            acknowledgement["payload"] = body
        try:
            await connection.socket.send(msgspec.json.encode(acknowledgement).decode())
        except errors.Temporary:
            # Slack sends the envelope again. The answer is cached, so the payload has no second effect.
            _log.warning("slack_acknowledgement_lost", kind=envelope.kind)

    async def _answer(self, envelope: _Envelope) -> Mapping[str, Any] | None:
        """Return the answer within the time limit. Return the cached answer for a repeated envelope."""
        if envelope.kind is None:
            return None
        answer = self._answers.get(envelope.identity)
        # A repeated envelope gets the same answer, so that the action happens once.
        if answer is None:
            answer = asyncio.ensure_future(self._handle_safely(envelope.kind, envelope.payload))
            self._answers[envelope.identity] = answer
            while len(self._answers) > _ANSWERS:
                self._answers.popitem(last=False)
        # Handling continues after the time limit, because canceling it could leave an action half done.
        finished, _ = await asyncio.wait({answer}, timeout=self._timing.answer)
        return answer.result() if finished else _apology(envelope.kind)

    async def _handle_safely(self, kind: Kind, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
        try:
            return await self._handle(kind, payload)
        except Exception:  # noqa: BLE001 - without an acknowledgement, Slack would send the failing payload again
            _log.exception("slack_envelope_failed", kind=kind)
            return _apology(kind)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _decode_message(message: str | bytes) -> Mapping[str, Any]:
    """Decode a message. Return an empty mapping and log a warning if it isn't a JSON object."""
    try:
        decoded = msgspec.json.decode(message)
    except Undecodable:
        decoded = None
    if not isinstance(decoded, dict):
        _log.warning("slack_message_ignored")
        return {}
    return decoded


def _hello(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message if it is a hello. Otherwise raise ``Temporary``: Slack rejects with a disconnect message."""
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
    """Return the answer to a payload whose handling failed. Only a command's answer can contain text."""
    return {"response_type": "ephemeral", "text": _FAILED} if kind == "slash_commands" else None
