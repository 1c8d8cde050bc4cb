"""Socket Mode: WebSocket connections to the app, over which Slack sends envelopes and waits for acknowledgements.

Slack sends an envelope to one connection. If it isn't acknowledged within 3 seconds, or the connection closes, Slack
sends the envelope to another connection.
"""

import asyncio
import contextlib
import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pydantic
from starlette import websockets

from router.simulator.slack import records

Kind = Literal["interactive", "slash_commands", "events_api"]
ACK_SECONDS = 3.0
_MAX_CONNECTIONS = 10
# Unused tickets don't expire here, so their number is limited. The newest ones stay valid.
_TICKETS = 100


@dataclass(frozen=True)
class Outcome:
    """The outcome of a delivery to the app. ``error`` is empty if the app acknowledged it."""

    attempts: int
    response: Any = None
    error: str = ""


class Fault(pydantic.BaseModel):
    """A fault to inject: once into the open connections, or into the next ``count`` connections or envelopes.

    ``disconnect``: every open connection gets a disconnect message with ``reason``; with ``closes``, it is closed, too.
    ``drop``: every open connection is aborted. ``silence``: every open connection stays open, but Slack neither sends
    nor reads. ``refuse``: the next ``count`` connections get a disconnect message instead of a hello.
    ``lose-acks``: the next ``count`` acknowledgements are lost. ``twice``: the next ``count`` envelopes are sent again
    after they were acknowledged. ``garble``: every open connection gets a message that isn't a JSON object.
    """

    model_config = pydantic.ConfigDict(extra="forbid")

    action: Literal["disconnect", "drop", "silence", "refuse", "lose-acks", "twice", "garble"]
    reason: str = "refresh_requested"
    closes: bool = False
    count: int = pydantic.Field(default=1, ge=1)


@dataclass(eq=False)
class _Connection:
    websocket: websockets.WebSocket
    waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    is_leaving: bool = False
    is_silent: bool = False

    async def send(self, message: Mapping[str, Any] | str) -> None:
        if self.is_silent:
            return
        with contextlib.suppress(RuntimeError, websockets.WebSocketDisconnect):  # The connection is already closing.
            await self.websocket.send_text(message if isinstance(message, str) else json.dumps(message))

    def fail_waiting(self) -> None:
        for future in self.waiting.values():
            if not future.done():
                # The delivery goes to another connection at once, and doesn't wait for the acknowledgement's time
                # limit.
                future.set_exception(ConnectionError())


class Sockets:
    """The connections of the app, in the order in which they were opened."""

    def __init__(self) -> None:
        self.ack_seconds = ACK_SECONDS
        self._tickets: list[str] = []
        self._open: list[_Connection] = []
        self._refusals: list[str] = []
        self._acks_to_lose = 0
        self._envelopes_to_repeat = 0

    @property
    def count(self) -> int:
        """The number of open connections."""
        return len(self._open)

    def ticket(self) -> str:
        """Issue a ticket, which is valid for one connection."""
        self._tickets = [*self._tickets[1 - _TICKETS :], secrets.token_hex(8)]
        return self._tickets[-1]

    def clear_faults(self) -> None:
        """Discard pending faults and abort silent connections."""
        for connection in self._open:
            # Reading isn't resumed, because the client may already have stopped waiting for this connection.
            if connection.is_silent:
                connection.websocket.scope["transport"].abort()
        self._refusals, self._acks_to_lose, self._envelopes_to_repeat = [], 0, 0
        self.ack_seconds = ACK_SECONDS

    async def serve(self, websocket: websockets.WebSocket) -> None:
        """Serve one connection, from its ticket until it is closed."""
        ticket = websocket.query_params.get("ticket", "")
        if ticket not in self._tickets:
            # Closing before accepting refuses the handshake, so the client must request another URL.
            await websocket.close(1008)
            return
        self._tickets.remove(ticket)  # A URL is valid for one connection.
        await websocket.accept()
        connection = _Connection(websocket)
        reason = self._refusals.pop(0) if self._refusals else ""
        # Slack refuses a connection after accepting it, with a disconnect message in place of the hello.
        reason = reason or ("too_many_websockets" if len(self._open) >= _MAX_CONNECTIONS else "")
        if reason:
            await connection.send(_disconnect(reason))
            await websocket.close()
            return
        self._open.append(connection)
        # The connection time is in seconds. Slack replaces each connection after a few hours.
        hello_fields = {"host": "simulated", "build_number": 1, "approximate_connection_time": 18_060}
        hello = {"type": "hello", "num_connections": len(self._open), "connection_info": {"app_id": records.APP}}
        await connection.send({**hello, "debug_info": hello_fields})
        try:
            while True:
                self._receive(connection, await websocket.receive_text())
        except websockets.WebSocketDisconnect:
            pass
        finally:
            self._open.remove(connection)
            # Deliveries that wait for this connection must go to another one.
            connection.fail_waiting()

    def _receive(self, connection: _Connection, text: str) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            return
        future = connection.waiting.get(str(message.get("envelope_id", "")))
        # The acknowledgement is late or repeated. The envelope has been delivered, or sent to another connection.
        if future is None or future.done():
            return
        # The app has handled the envelope, and Slack sends it again. The app must not act twice.
        if self._acks_to_lose:
            self._acks_to_lose -= 1
            return
        future.set_result(message.get("payload"))

    async def deliver(self, kind: Kind, payload: Mapping[str, Any], *, accepts: bool, retries: int) -> Outcome:
        """Send an envelope until a connection acknowledges it. ``accepts``: the acknowledgement may have a payload."""
        # All attempts have the same ID, by which the app recognizes a repeated envelope.
        identity = str(uuid.uuid4())
        tried: list[_Connection] = []
        for attempt in range(retries + 1):
            connection = self._next(tried)
            # No connection is open, so the user sees an error at once.
            if connection is None:
                return Outcome(attempt, error="no_connection")
            tried.append(connection)
            envelope: dict[str, Any] = {"envelope_id": identity, "type": kind, "payload": payload}
            envelope["accepts_response_payload"] = accepts
            envelope |= {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
            future = connection.waiting[identity] = asyncio.get_running_loop().create_future()
            await connection.send(envelope)
            try:
                response = await asyncio.wait_for(future, self.ack_seconds)
            except (TimeoutError, ConnectionError):
                continue
            finally:
                connection.waiting.pop(identity, None)
            if self._envelopes_to_repeat:
                self._envelopes_to_repeat -= 1
                # Another process of the app may get the repetition, which doesn't share the first one's memory.
                for reconnected in [other for other in self._open if other is not connection] or [connection]:
                    await reconnected.send({**envelope, "retry_attempt": 1, "retry_reason": "timeout"})
            # Slack documents no payload here and would ignore it, so report the client's error.
            error = "unexpected_payload" if response is not None and not accepts else ""
            return Outcome(attempt + 1, response if accepts else None, error)
        return Outcome(retries + 1, error="timeout")

    def _next(self, tried: list[_Connection]) -> _Connection | None:
        """Return the connection for the next attempt. Prefer untried connections that aren't about to close."""
        order = sorted(self._open, key=lambda connection: (connection in tried, connection.is_leaving))
        if not order:
            return None
        # Rotate, because Slack distributes envelopes over the connections.
        self._open.remove(order[0])
        self._open.append(order[0])
        return order[0]

    async def inject(self, fault: Fault) -> None:
        """Inject a fault now, or store it for the next connections or envelopes."""
        match fault.action:
            case "refuse":
                self._refusals += [fault.reason] * fault.count
            case "lose-acks":
                self._acks_to_lose = fault.count
            case "twice":
                self._envelopes_to_repeat = fault.count
            case _:
                for connection in list(self._open):
                    await _apply(connection, fault)


async def _apply(connection: _Connection, fault: Fault) -> None:
    match fault.action:
        case "disconnect":
            # Slack prefers other connections from here on, but may still send on this one until it closes.
            connection.is_leaving = True
            await connection.send(_disconnect(fault.reason))
            if fault.closes:
                with contextlib.suppress(RuntimeError):
                    await connection.websocket.close()
        case "garble":
            # The first text isn't JSON. The second is JSON, but no object.
            await connection.send("[nonsense")
            await connection.send("7")
        case "silence":
            connection.is_silent = True
            # Without reading, the server doesn't respond to pings. The connection looks open, but nothing arrives.
            connection.websocket.scope["transport"].pause_reading()
        case _:
            connection.websocket.scope["transport"].abort()


def _disconnect(reason: str) -> dict[str, Any]:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "simulated"}}
