"""Faults on demand: the next calls that match are refused, cut off, delayed, or answered after acting in silence."""

import asyncio
import random
from typing import Annotated, Any, Literal

import pydantic
from starlette import types

from router.simulator import calls as call_log
from router.simulator import options as settings
from router.simulator import vendor

Action = Literal["429", "500", "502", "503", "status", "hang", "drop", "act-then-drop", "act-then-hang", "truncate"]
_MINUTE = 60_000_000


class Fault(pydantic.BaseModel):
    """What is to go wrong with the next ``count`` calls that match.

    ``path`` is what the path begins with, below the vendor's own. ``retry_after`` and ``hang_seconds`` are seconds.
    With ``probability`` below 1 a matching call is spared now and then, by a die of its own ``seed``.
    """

    model_config = pydantic.ConfigDict(extra="forbid")

    action: Action
    vendor: str = ""
    method: str = ""
    path: str = ""
    count: int = pydantic.Field(default=1, ge=1)
    status: int = pydantic.Field(default=500, ge=400, le=599)
    retry_after: float = pydantic.Field(default=1.0, ge=0)
    hang_seconds: float = pydantic.Field(default=60.0, ge=0)
    probability: Annotated[float, pydantic.Field(gt=0, le=1)] = 1.0
    seed: int = 1
    _die: random.Random = pydantic.PrivateAttr()

    def model_post_init(self, _context: Any) -> None:
        """Make the die."""
        self._die = random.Random(self.seed)

    def strikes(self, name: str, method: str, path: str) -> bool:
        """Whether this call is struck; one more of the count is used up if so."""
        if self.count < 1 or self.vendor not in {"", name} or self.method.upper() not in {"", method}:
            return False
        if not path.startswith(self.path) or self._die.random() >= self.probability:
            return False
        self.count -= 1
        return True


class Gate:
    """Stands before one vendor's API: logs each call, and lets faults and the rate limit have their way."""

    def __init__(
        self,
        app: types.ASGIApp,
        of: vendor.Vendor,
        options: settings.Options,
        log: call_log.Calls,
        faults: list[Fault],
    ) -> None:
        self._app = app
        self._vendor = of
        self._options = options
        self._log = log
        self._faults = faults

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Answer one call, or not."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        call = self._log.begin(
            self._options.clock(), self._vendor.name, scope["method"], path, scope["query_string"].decode()
        )
        raw = await _read(receive)
        call_log.read_body(call, raw)
        answer = _Answer(send, call)
        if self._too_many(call):
            await self._fail(answer, 429, 60.0)
            return
        fault = next((one for one in self._faults if one.strikes(call.vendor, call.method, path)), None)
        if fault is None:
            await self._app(scope, _replay(raw), answer)
        else:
            call.fault = fault.action
            await self._strike(fault, scope, raw, answer)

    def _too_many(self, call: call_log.Call) -> bool:
        limit = self._options.calls_a_minute
        if not limit:
            return False
        recent = [one for one in self._log.all if one.vendor == call.vendor and one.at > call.at - _MINUTE]
        return len(recent) > limit

    async def _strike(self, fault: Fault, scope: types.Scope, raw: bytes, answer: "_Answer") -> None:
        match fault.action:
            case "429" | "500" | "502" | "503":
                await self._fail(answer, int(fault.action), fault.retry_after)
            case "status":
                await self._fail(answer, fault.status, fault.retry_after)
            case "hang":
                await asyncio.sleep(fault.hang_seconds)
                _hang_up(answer.send)
            case "drop":
                _hang_up(answer.send)
            case "act-then-drop":
                await self._app(scope, _replay(raw), _nowhere)
                _hang_up(answer.send)
            case "act-then-hang":
                kept = _Kept()
                await self._app(scope, _replay(raw), kept)
                await asyncio.sleep(fault.hang_seconds)
                for message in kept.messages:
                    await answer(message)
            case "truncate":
                await self._app(scope, _replay(raw), _Halving(answer))

    async def _fail(self, answer: "_Answer", status: int, retry_after: float) -> None:
        body, headers = self._vendor.failure(status, retry_after)
        raw = pydantic.TypeAdapter(dict[str, Any]).dump_json(body)
        pairs = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
        pairs += [(name.encode(), value.encode()) for name, value in headers.items()]
        await answer({"type": "http.response.start", "status": status, "headers": pairs})
        await answer({"type": "http.response.body", "body": raw})


class _Answer:
    """Sends an answer on, and notes its status."""

    def __init__(self, send: types.Send, call: call_log.Call) -> None:
        self.send = send
        self._call = call

    async def __call__(self, message: types.Message) -> None:
        if message["type"] == "http.response.start":
            self._call.status = message["status"]
        await self.send(message)


class _Kept:
    """Keeps an answer for later."""

    def __init__(self) -> None:
        self.messages: list[types.Message] = []

    async def __call__(self, message: types.Message) -> None:
        self.messages.append(message)


class _Halving:
    """Sends the first half of a body under the headers of the whole, and hangs up."""

    def __init__(self, answer: _Answer) -> None:
        self._answer = answer

    async def __call__(self, message: types.Message) -> None:
        if message["type"] != "http.response.body":
            await self._answer(message)
            return
        body = message.get("body", b"")
        await self._answer({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await asyncio.sleep(0.01)  # So that the half is sent before the line is cut.
        _hang_up(self._answer.send)


async def _nowhere(_message: types.Message) -> None:
    return None


async def _read(receive: types.Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


def _replay(raw: bytes) -> types.Receive:
    """The body again, for the application behind."""

    async def receive() -> types.Message:
        return {"type": "http.request", "body": raw, "more_body": False}

    return receive


def _hang_up(send: Any) -> None:
    """Cut the connection without a word. The server's own ``send`` is a method of what holds the transport."""
    cycle = send.__self__
    cycle.transport.abort()
    cycle.disconnected = True
