"""Injected faults: the next matching calls are refused, cut off, delayed, or get an unusual response.

Of the faults that refuse or cut off a call, the first that matches applies. Faults of ``SHAPING`` change stored data or
responses, and all that match apply.
"""

import asyncio
import json
import math
import random
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pydantic
from starlette import types

from router.simulator import awkward, vendor
from router.simulator.calls import Call, Calls, read_body
from router.simulator.options import Options

Action = Literal[
    "429",
    "500",
    "502",
    "503",
    "status",
    "gateway",
    "redirect",
    "hang",
    "drop",
    "act-then-drop",
    "act-then-hang",
    "act-then-conflict",
    "act-then-busy",
    "act-late",
    "hang-then-act",
    "refuse-field",
    "truncate",
    "lag",
    "normalize",
    "render",
    "odd-row",
    "endless",
]
# The call succeeds in spite of these, so several can apply to one call.
SHAPING: frozenset[Action] = frozenset({"lag", "normalize", "render", "odd-row", "endless"})
_OF_READS: frozenset[Action] = frozenset({"render", "odd-row", "endless"})
_OF_WRITES: frozenset[Action] = frozenset({"lag", "normalize"})
# These carry the request out, so the body must be rewritten first, as it is for a call without a fault.
_ACTING: frozenset[Action] = frozenset(
    {"act-then-drop", "act-then-hang", "act-then-conflict", "act-then-busy", "act-late", "hang-then-act", "truncate"}
)
_LOGIN = b"<html><body>Sign in to the proxy</body></html>"
# There is more than one, because the router must not take the first conflict as the final outcome.
_BUSY_ANSWERS = 2
_MINUTE = 60_000_000


class Fault(pydantic.BaseModel):
    """A fault of the next ``count`` matching calls.

    ``path`` is the beginning of the path, below the vendor's prefix. ``retry_after``, ``hang_seconds``, and
    ``lag_seconds`` are in seconds; responses other than 429 have ``Retry-After`` only if ``retry_after`` is given.
    ``limit`` is the name of the limit that a 429 reports. With ``probability`` below 1, a random generator with its own
    ``seed`` decides for each matching call. ``style`` is how ``normalize`` and ``render`` change texts, ``length`` what
    ``cut`` leaves of them.

    ``act-then-conflict`` acts and responds 409. ``act-then-busy`` acts and closes the connection; the next two calls
    with the same idempotency key get ``status``, 409 or 422. ``act-late`` closes the connection and acts
    ``hang_seconds`` later. ``hang-then-act`` doesn't respond for ``hang_seconds`` and then acts, even if the client has
    disconnected. ``redirect`` is the response of a proxy. ``refuse-field`` refuses a body in which ``field`` is set (to
    ``value``, if given), and names the field in the vendor's error envelope.

    With ``lasts_seconds``, an affected call begins a window of that length, in which every matching call is affected. A
    window counts once.
    """

    model_config = pydantic.ConfigDict(extra="forbid")

    action: Action
    vendor: str = ""
    method: str = ""
    path: str = ""
    count: int = pydantic.Field(default=1, ge=1)
    status: int = pydantic.Field(default=500, ge=400, le=599)
    retry_after: float | None = pydantic.Field(default=None, ge=0)
    limit: str = "api_key_name"
    field: str = ""
    value: Any = None
    hang_seconds: float = pydantic.Field(default=60.0, ge=0)
    lag_seconds: float = pydantic.Field(default=1.0, ge=0)
    lasts_seconds: float = pydantic.Field(default=0.0, ge=0)
    style: awkward.Style = "strip"
    length: int = pydantic.Field(default=60, ge=1)
    probability: Annotated[float, pydantic.Field(gt=0, le=1)] = 1.0
    seed: int = 1
    _die: random.Random = pydantic.PrivateAttr()
    _window_ends: float = pydantic.PrivateAttr(default=-math.inf)

    def model_post_init(self, _context: Any) -> None:
        """Create the fault's random generator."""
        # Each fault has its own generator, so that adding another fault doesn't change which calls this one affects.
        self._die = random.Random(self.seed)

    def strikes(self, call: Call) -> bool:
        """Return whether this call is affected. An affected call uses up one of the count, except during a window."""
        if not self._matches(call):
            return False
        now = asyncio.get_running_loop().time()
        if now < self._window_ends:
            return True
        # The generator is used only by matching calls, so the outcome doesn't depend on unrelated traffic.
        if self.count < 1 or self._die.random() >= self.probability:
            return False
        self.count -= 1
        if self.lasts_seconds:
            self._window_ends = now + self.lasts_seconds
        return True

    def _matches(self, call: Call) -> bool:
        """Return whether the fault applies to the call by its vendor, method, path, and action."""
        if self.vendor not in {"", call.vendor} or self.method.upper() not in {"", call.method}:
            return False
        if (self.action in _OF_READS and call.method != "GET") or (self.action in _OF_WRITES and call.method == "GET"):
            return False
        return call.path.startswith(self.path) and self._is_possible_for(call)

    def _is_possible_for(self, call: Call) -> bool:
        """Return whether the action is possible for the call."""
        match self.action:
            # Only a body that sets the field can be refused because of it. The router's call without the field must
            # succeed.
            case "refuse-field":
                value = _find_field(call.body, self.field)
                return value is not None and (self.value is None or self.value == value)
            # A vendor that doesn't know a key can't say that a request with the same key is in progress.
            case "act-then-busy":
                return bool(call.idempotency_key)
            # A read has no effect that could happen in spite of the error, or after it.
            case "act-then-conflict" | "act-late" | "hang-then-act":
                return call.method != "GET"
        return True


def _find_field(body: Any, field: str) -> Any:
    """Return the value of a field in a body, whose name has dots between its parts; None if it is absent."""
    for part in field.split("."):
        body = body.get(part) if isinstance(body, dict) else None
    return body


class Gate:
    """Wraps one vendor's API: logs each call, and applies faults and the rate limit."""

    def __init__(
        self,
        app: types.ASGIApp,
        simulated_vendor: vendor.Vendor,
        options: Options,
        log: Calls,
        faults: list[Fault],
    ) -> None:
        self._app = app
        self._vendor = simulated_vendor
        self._options = options
        self._log = log
        self._faults = faults
        # States before a write: until when reads get the state, the fault that requires it, and the state.
        self._past: list[tuple[float, Fault, Any]] = []
        self._busy: dict[str, list[int]] = {}
        self._late: set[asyncio.Task[None]] = set()

    @property
    def pending(self) -> int:
        """Return how many delayed requests are still to be executed."""
        return len(self._late)

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Respond to one call, or apply a fault instead."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        call = self._log.begin(
            self._options.clock(), self._vendor.name, scope["method"], path, scope["query_string"].decode()
        )
        raw = await _read(receive)
        read_body(call, raw)
        answer = _Answer(send, call)
        # The rate limit applies first, so that a call beyond it uses up no fault.
        if self._exceeds_rate_limit(call):
            await self._fail(answer, 429, 60.0)
            return
        # The earlier request with this key still runs at the vendor. Only the repetition gets this response.
        if busy := self._busy.get(call.idempotency_key):
            call.fault = "act-then-busy"
            await self._fail(answer, busy.pop(), None, message="a request with this idempotency key is in progress")
            return
        shaping = [candidate for candidate in self._faults if candidate.action in SHAPING and candidate.strikes(call)]
        others = (candidate for candidate in self._faults if candidate.action not in SHAPING)
        # Stop at the first match, so that the counts of the other faults aren't used up by a call that they don't
        # affect.
        fault = next((other for other in others if other.strikes(call)), None)
        call.fault = "+".join(candidate.action for candidate in [*shaping, *([fault] if fault else [])])
        # The request isn't carried out, so there is nothing to store, and reads must not lag behind a write that never
        # happened.
        if fault is not None and fault.action not in _ACTING:
            await self._apply(fault, scope, raw, answer)
            return
        raw = self._prepare_body(raw, shaping)
        if fault is not None:
            await self._apply(fault, scope, raw, answer)
        elif call.method == "GET":
            await self._read(scope, raw, answer, shaping)
        else:
            await self._app(scope, _replay(raw), answer)

    def _prepare_body(self, raw: bytes, shaping: Sequence[Fault]) -> bytes:
        """Return the body as the vendor will store it. Keep the current state if reads are to lag behind."""
        for fault in shaping:
            if fault.action == "lag":
                visible_at = asyncio.get_running_loop().time() + fault.lag_seconds
                # Each write keeps its own copy. Reads use the oldest one that is still valid, as at a replica that is
                # behind.
                self._past.append((visible_at, fault, self._vendor.copy_state()))
            elif fault.action == "normalize":
                raw = _normalize_body(raw, fault)
        return raw

    async def _read(self, scope: types.Scope, raw: bytes, answer: "_Answer", shaping: Sequence[Fault]) -> None:
        now = asyncio.get_running_loop().time()
        # Clearing the faults also ends the lag, so that a test can go on without waiting for its end.
        self._past = [
            entry for entry in self._past if entry[0] > now and any(entry[1] is fault for fault in self._faults)
        ]
        # The whole response is needed before it can be changed, because its length is in the first message.
        entry = _BufferedResponse()
        if self._past:
            with self._vendor.as_of(self._past[0][2]):
                await self._app(scope, _replay(raw), entry)
        else:
            await self._app(scope, _replay(raw), entry)
        for message in _shape_response(entry.messages, shaping):
            await answer(message)

    def _exceeds_rate_limit(self, call: Call) -> bool:
        limit = self._options.calls_a_minute
        if not limit:
            return False
        # Refused calls count as well, so a client that ignores `Retry-After` stays refused.
        recent = [
            candidate
            for candidate in self._log.all
            if candidate.vendor == call.vendor and candidate.at > call.at - _MINUTE
        ]
        return len(recent) > limit

    async def _apply(self, fault: Fault, scope: types.Scope, raw: bytes, answer: "_Answer") -> None:
        match fault.action:
            case "429" | "500" | "502" | "503":
                await self._fail(answer, int(fault.action), fault.retry_after, limit=fault.limit)
            case "status":
                await self._fail(answer, fault.status, fault.retry_after)
            # A gateway in front of the vendor knows nothing of the vendor's error format. The router must not parse its
            # page as one.
            case "gateway":
                page = f"<html><head><title>{fault.status}</title></head><body>{fault.status}</body></html>".encode()
                await _respond(answer, fault.status, page, [(b"content-type", b"text/html")])
            case "refuse-field":
                await self._fail(answer, self._vendor.refuses_with, None, message="is not valid", field=fault.field)
            # This is the response of a proxy that requires a login. The router must not follow it, because a real API
            # doesn't redirect.
            case "redirect":
                pairs = [(b"content-type", b"text/html"), (b"location", b"https://proxy.example/login")]
                await _respond(answer, 302, _LOGIN, pairs)
            case "hang":
                # The request is never carried out, but the client can't distinguish this from a request that was.
                await asyncio.sleep(fault.hang_seconds)
                _hang_up(answer.send)
            case "drop":
                _hang_up(answer.send)
            case "truncate":
                await self._app(scope, _replay(raw), _Halving(answer))
            case _:
                await self._act(fault, scope, raw, answer)

    async def _act(self, fault: Fault, scope: types.Scope, raw: bytes, answer: "_Answer") -> None:
        """Execute the request, and don't send its usual response."""
        match fault.action:
            case "act-late" | "hang-then-act":
                # The request gets a separate task, so that `act-late` can close the connection first, and `pending`
                # counts the request.
                task = asyncio.create_task(self._act_late(fault.hang_seconds, scope, raw))
                # The event loop keeps only weak references to tasks.
                self._late.add(task)
                task.add_done_callback(self._late.discard)
                if fault.action == "hang-then-act":
                    # If the server cancels this call when it stops, the request is still carried out.
                    await asyncio.shield(task)
                _hang_up(answer.send)
            case "act-then-hang":
                entry = _BufferedResponse()
                await self._app(scope, _replay(raw), entry)
                await asyncio.sleep(fault.hang_seconds)
                for message in entry.messages:
                    await answer(message)
            # A vendor that has carried the request out before may answer a repetition this way. A 409 doesn't prove
            # "not done".
            case "act-then-conflict":
                await self._app(scope, _replay(raw), _discard)
                await self._fail(answer, 409, fault.retry_after, message="it is so already")
            case _:
                await self._app(scope, _replay(raw), _discard)
                if fault.action == "act-then-busy":
                    # Vendors use one of these two statuses for a key in use. `status` is 500 unless the fault sets it.
                    status = fault.status if fault.status in {409, 422} else 409
                    self._busy[answer.call.idempotency_key] = [status] * _BUSY_ANSWERS
                _hang_up(answer.send)

    async def _act_late(self, seconds: float, scope: types.Scope, raw: bytes) -> None:
        await asyncio.sleep(seconds)
        await self._app(scope, _replay(raw), _discard)

    async def _fail(
        self,
        answer: "_Answer",
        status: int,
        retry_after: float | None,
        *,
        message: str = "simulated failure",
        field: str = "",
        limit: str = "api_key_name",
    ) -> None:
        # A 429 always says how long to wait. Other errors do so only if the fault sets a delay.
        delay = 1.0 if retry_after is None and status == 429 else retry_after
        body, headers = self._vendor.failure(vendor.Failure(status, delay, message, field, limit))
        # Each vendor has its own place for the delay of a 429, so `failure` adds that one.
        if status != 429 and delay is not None:
            headers = {**headers, "retry-after": str(math.ceil(delay))}
        raw = pydantic.TypeAdapter(dict[str, Any]).dump_json(body)
        pairs = [(b"content-type", b"application/json")]
        pairs += [(name.encode(), value.encode()) for name, value in headers.items()]
        await _respond(answer, status, raw, pairs)


class _Answer:
    """Forwards a response, and records its status."""

    def __init__(self, send: types.Send, call: Call) -> None:
        self.send = send
        self.call = call

    async def __call__(self, message: types.Message) -> None:
        if message["type"] == "http.response.start":
            self.call.status = message["status"]
        await self.send(message)


class _BufferedResponse:
    """Keeps a response for later."""

    def __init__(self) -> None:
        self.messages: list[types.Message] = []

    async def __call__(self, message: types.Message) -> None:
        self.messages.append(message)


class _Halving:
    """Sends the first half of a body with the headers of the whole body, and disconnects."""

    def __init__(self, answer: _Answer) -> None:
        self._answer = answer

    async def __call__(self, message: types.Message) -> None:
        if message["type"] != "http.response.body":
            await self._answer(message)
            return
        body = message.get("body", b"")
        await self._answer({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await asyncio.sleep(0.01)  # So that the first half is sent before the connection is cut.
        _hang_up(self._answer.send)


async def _respond(answer: _Answer, status: int, raw: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(raw)).encode())
    await answer({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await answer({"type": "http.response.body", "body": raw})


def _normalize_body(raw: bytes, fault: Fault) -> bytes:
    """Return a request's body with its texts as the vendor stores them."""
    try:
        body = json.loads(raw)
    except ValueError:
        return raw
    if fault.style == "impact":
        return json.dumps(awkward.with_derived_impact(body)).encode()
    return json.dumps(awkward.normalize_texts(body, fault.style, fault.length)).encode()


def _shape_response(messages: list[types.Message], shaping: Sequence[Fault]) -> list[types.Message]:
    """Return a response with the faults applied. Error responses stay unchanged."""
    start = messages[0]
    # Error bodies have no lists and no texts of the router, and the vendor's error format must stay readable.
    if not shaping or start["status"] >= 300:
        return messages
    answer = json.loads(b"".join(message.get("body", b"") for message in messages[1:]))
    for fault in shaping:
        if fault.action == "render":
            answer = awkward.normalize_texts(answer, fault.style, fault.length)
        elif fault.action == "odd-row":
            answer = awkward.with_odd_row(answer)
        elif fault.action == "endless":
            answer = awkward.with_endless_pages(answer)
    raw = json.dumps(answer).encode()
    # The changed body has another length. With the old header, the client would wait for more or miss the end.
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    headers.append((b"content-length", str(len(raw)).encode()))
    return [{**start, "headers": headers}, {"type": "http.response.body", "body": raw}]


async def _discard(_message: types.Message) -> None:
    return None


async def _read(receive: types.Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


def _replay(raw: bytes) -> types.Receive:
    """Return a function that receives the body again, for the wrapped application."""

    async def receive() -> types.Message:
        return {"type": "http.request", "body": raw, "more_body": False}

    return receive


def _hang_up(send: Any) -> None:
    """Abort the connection. The server's own ``send`` is a method of the object that holds the transport."""
    cycle = send.__self__
    cycle.transport.abort()
    # The server learns of the abort only after this handler has returned, and would respond with a 500 until then.
    cycle.disconnected = True
