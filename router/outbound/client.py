"""The only way out: every call to a vendor, at the very end of an alert's way, is made by one of these clients.

A client belongs to one account. It keeps connections open, calls no other host, reads no endless answer, and turns
whatever goes wrong into one of ``errors``.
"""

import asyncio
import contextvars
import functools
import math
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar
from urllib.parse import quote

import httpx
import msgspec

import router
from router.domain.undecodable import Undecodable
from router.outbound import call_policy, errors, loopback, retry_after
from router.telemetry import instruments, metrics

BODY_CAP = 4 * 1024 * 1024  # Bytes of an answer that are read; vendors' largest pages are far below.

_TOO_EARLY, _TIMED_OUT, _TOO_MANY, _CONFLICT = 425, 408, 429, 409
_DENIED = frozenset({401, 403})
_VERSION = re.compile(r"v\d+")
_NOT_FOUND, _GONE = 404, 410
_IDLE_SECONDS = 60.0  # How long an unused connection is kept: as long as common load balancers do.

Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True)
class VendorMessage:
    """What a vendor's error envelope says. ``retry_after`` is raw text: seconds, an HTTP date or RFC 3339.

    ``limit`` is the name of the limit that a 429 is about. ``is_account_wide`` says that the limit holds for every
    call of the account, and not only for the endpoint that was called.
    ``is_own`` is false if the body is not in the vendor's error format: a gateway or a proxy answered instead.
    """

    message: str = ""
    field: str = ""
    request_id: str = ""
    retry_after: str = ""
    is_own: bool = True
    limit: str = ""
    is_account_wide: bool = True


class _Field(TypedDict):
    """What a refusal says besides its message."""

    status: int
    field: str
    request_id: str


ReadError = Callable[[int, Any, Mapping[str, str]], VendorMessage]
"""Reads a vendor's error envelope from the status, the parsed body (None if it is not JSON) and the headers."""


@dataclass(frozen=True, slots=True)
class Content:
    """A request body that is sent byte for byte, for example because it is signed, with the headers of this request.

    ``is_answer_ignored``: any answer with a status of 200 to 299 is a success, whatever its body is.
    """

    body: bytes
    headers: Mapping[str, str]
    is_answer_ignored: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A vendor's answer with a status of 200 to 299. ``headers`` have lower-case names; ``body`` is None if empty.

    ``about`` names the call, for messages.
    """

    status: int
    body: Any
    headers: Mapping[str, str]
    about: str = ""

    def read(self, shape: type[Shape]) -> Shape:
        """Turn the body into a msgspec struct; ``Unanswered`` where it is none, since the call may have had effect."""
        try:
            return msgspec.convert(self.body, shape)
        except msgspec.ValidationError as problem:
            raise errors.Unanswered(f"{self.about}: not the answer that was expected: {problem}") from problem


# What becomes of each of httpx's exceptions. Its base classes are here too, for what a later release may add.
OUTCOMES: Mapping[type[Exception], type[errors.Failure]] = {
    # Nothing was sent.
    httpx.ConnectError: errors.Temporary,
    httpx.ConnectTimeout: errors.Temporary,
    httpx.PoolTimeout: errors.Temporary,
    httpx.ProxyError: errors.Temporary,
    # Something was, or may have been.
    httpx.HTTPError: errors.Unanswered,
    httpx.RequestError: errors.Unanswered,
    httpx.TransportError: errors.Unanswered,
    httpx.TimeoutException: errors.Unanswered,
    httpx.ReadTimeout: errors.Unanswered,
    httpx.WriteTimeout: errors.Unanswered,
    httpx.NetworkError: errors.Unanswered,
    httpx.ReadError: errors.Unanswered,
    httpx.WriteError: errors.Unanswered,
    httpx.CloseError: errors.Unanswered,
    httpx.ProtocolError: errors.Unanswered,
    httpx.RemoteProtocolError: errors.Unanswered,
    httpx.DecodingError: errors.Unanswered,
    httpx.HTTPStatusError: errors.Unanswered,
    httpx.StreamError: errors.Unanswered,
    httpx.StreamConsumed: errors.Unanswered,
    httpx.StreamClosed: errors.Unanswered,
    httpx.ResponseNotRead: errors.Unanswered,
    httpx.RequestNotRead: errors.Unanswered,
    # The request itself is wrong, and will be tomorrow.
    httpx.InvalidURL: errors.Permanent,
    httpx.UnsupportedProtocol: errors.Permanent,
    httpx.LocalProtocolError: errors.Permanent,
    httpx.TooManyRedirects: errors.Permanent,
    httpx.CookieConflict: errors.Permanent,
}

_FOREIGN = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict)


def segment(text: str) -> str:
    """Quote ``text`` (an id, a vendor's or a person's) so that it is one segment of a path, whatever is in it."""
    quoted = quote(text, safe="")
    # Dots alone would be read as "this folder" or "the folder above" on the way.
    return quoted.replace(".", "%2E") if not quoted.strip(".") else quoted


def endpoint(method: str, path: str) -> str:
    """Name the endpoint class of a call: the method and the path, with ``{id}`` for each segment that holds a digit.

    ``POST /v2/incidents/01H8ABC/actions/edit`` becomes ``POST /v2/incidents/{id}/actions/edit``.
    """
    parts = [
        "{id}" if any(letter.isdigit() for letter in part) and not _VERSION.fullmatch(part) else part
        for part in path.split("/")
    ]
    return f"{method} {'/'.join(parts)}"


floor: contextvars.ContextVar[float] = contextvars.ContextVar("floor", default=0.0)
"""The share of the quota that the operation under way leaves for what is more urgent."""

ends_at: contextvars.ContextVar[float] = contextvars.ContextVar("ends_at", default=math.inf)
"""When the operation under way is cut off, by the event loop's clock: no call waits for its turn until then."""


operation: contextvars.ContextVar[str] = contextvars.ContextVar("operation", default="other")
"""The operation under way, for the metric of requests."""


class Client:
    """Calls one account of one vendor.

    ``name`` is the destination's, for messages. ``timeout_seconds`` bounds a whole call, from asking for a connection
    to the last byte of the answer. ``now`` gives epoch microseconds, to read dates in ``Retry-After``. ``secrets`` are
    masked in every message; ``headers`` usually hold them too. ``read_error`` reads the vendor's error envelope.
    It may raise what is no ``Failure``, which then ends the call. Of an answer at most ``most_bytes`` are read.
    ``quota``, where it is set, is asked before each call.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        headers: Mapping[str, str],
        timeout_seconds: float,
        now: Callable[[], int],
        secrets: Iterable[str] = (),
        read_error: ReadError | None = None,
        most_bytes: int = BODY_CAP,
    ) -> None:
        self.quota: call_policy.Quota | None = None
        self.name = name
        self._base = base_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._now = now
        self._secrets = tuple(sorted((secret for secret in secrets if secret), key=len, reverse=True))
        self._read_error = read_error or _read_nothing
        self._most_bytes = most_bytes
        # A proxy of the environment is the operator's wish for the world outside, never for this machine.
        outside = not loopback.is_loopback(self._base)
        self._http = httpx.AsyncClient(
            headers={"user-agent": f"incident-router/{router.__version__}", "accept": "application/json", **headers},
            # Shares of the whole, so that a vendor that can't be reached is told from one that does not answer.
            timeout=httpx.Timeout(timeout_seconds, connect=0.4 * timeout_seconds, pool=0.4 * timeout_seconds),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=_IDLE_SECONDS),
            verify=ssl_context(of_environment=outside),
            trust_env=outside,
            follow_redirects=False,
        )

    def __repr__(self) -> str:
        return f"Client(name={self.name!r}, base_url={self._mask(self._base)!r})"

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        query: Mapping[str, Any] | None = None,
        content: Content | None = None,
    ) -> Answer:
        """Make one call below the base URL and return its answer; one of ``errors`` where it does not succeed.

        ``path`` starts with a slash; ``json`` is anything msgspec can encode, None sends no body. ``content`` is sent
        as it is, in the place of ``json``. A GET changes nothing, so one that was not answered is ``Temporary``.
        """
        if content is None and json is not None:
            content = Content(msgspec.json.encode(json), {"content-type": "application/json"})
        about = f"{self.name}: {method} {path}"
        if not path.startswith("/"):
            raise errors.Permanent(f"{about}: the path must start with a slash")
        called = endpoint(method, path)
        if self.quota is not None:
            await call_policy.wait_for_quota(self.quota, call_policy.Turn(floor.get(), called), about, ends_at.get())
        try:
            return await self._timed_exchange(method, path, about, content=content, query=query)
        except TimeoutError as problem:
            failure: errors.Failure = errors.Unanswered(f"{about}: no answer within {self._timeout_seconds:g} s")
            raise _settled(failure, method) from problem
        except errors.Throttled as problem:
            if self.quota is not None and problem.retry_after:
                await self.quota.pause(problem.retry_after, "" if problem.is_account_wide else called)
            raise
        except _FOREIGN as problem:
            failure = outcome_of(problem)(self._mask(f"{about}: {type(problem).__name__}: {problem}"))
            raise _settled(failure, method) from problem
        except errors.Unanswered as problem:
            raise _settled(problem, method) from problem.__cause__

    async def read(self, path: str, shape: type[Shape], *, query: Mapping[str, Any] | None = None) -> Shape:
        """GET what is at ``path`` and turn it into a msgspec struct; ``Temporary`` where the answer is none.

        What fails for a moment is asked again at once.
        """

        async def once() -> Shape:
            answer = await self.call("GET", path, query=query)
            try:
                return answer.read(shape)
            except errors.Unanswered as problem:
                raise _settled(problem, "GET") from problem

        return await call_policy.retry_read(once, ends_at.get())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _timed_exchange(
        self, method: str, path: str, about: str, *, content: Content | None, query: Mapping[str, Any] | None
    ) -> Answer:
        """As ``_exchange``, within the time of a call, which is measured."""
        began, result = instruments.clock(), "unanswered"
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._exchange(method, path, about, content=content, query=query)
        except errors.Failure as problem:
            result = _result(type(problem))
            raise
        except _FOREIGN as problem:
            result = _result(outcome_of(problem))
            raise
        else:
            result = "ok"
            return answer
        finally:
            metrics.vendor_request_duration_seconds.labels(self.name, operation.get(), result).since(began)

    async def _exchange(
        self, method: str, path: str, about: str, *, content: Content | None, query: Mapping[str, Any] | None
    ) -> Answer:
        body, headers = (None, None) if content is None else (content.body, content.headers)
        request = self._http.build_request(method, self._base + path, content=body, headers=headers, params=query)
        response = await self._http.send(request, stream=True)
        try:
            raw = await _read_capped(response, self._most_bytes)
        finally:
            await response.aclose()
        headers_read = dict(response.headers)
        if response.is_success and content is not None and content.is_answer_ignored:
            return Answer(response.status_code, None, headers_read, about)
        if response.is_success:
            return Answer(response.status_code, self._parse(raw, about), headers_read, about)
        raise self._refusal(response.status_code, _parse_or_none(raw), headers_read, about)

    def _parse(self, raw: bytes | None, about: str) -> Any:
        if raw is None:
            raise errors.Unanswered(f"{about}: the answer is larger than {self._most_bytes} bytes")
        if not raw.strip():
            return None
        try:
            return msgspec.json.decode(raw)
        except Undecodable as problem:
            raise errors.Unanswered(f"{about}: the answer is not JSON") from problem

    def _refusal(self, status: int, body: Any, headers: Mapping[str, str], about: str) -> errors.Failure:
        said = self._read_error(status, body, headers)
        message = self._mask(f"{about}: {status}" + (f": {said.message}" if said.message else ""))
        wait = retry_after.seconds(headers.get("retry-after", "") or said.retry_after, now=self._now())
        if status in {_TOO_EARLY, _TOO_MANY}:
            limit = self._mask(said.limit)
            return errors.Throttled(message, wait, limit=limit, is_account_wide=said.is_account_wide)
        # A gateway may say 408 of a request that the vendor behind it went on with.
        if status >= 500 or status == _TIMED_OUT:
            return errors.Unanswered(message, wait)
        if status in {_NOT_FOUND, _GONE}:
            if not said.is_own:
                message += ": this is not the vendor's error format; check the base URL and what is in front of it"
                return errors.Unanswered(message, wait)
            return errors.NotFound(message, status=status, field=self._mask(said.field), request_id=said.request_id)
        # No API answers with a redirect: a proxy does, and nobody knows what it made of the request.
        if status < 400:
            message += ": not the API's answer; redirects are not followed; correct the base URL"
            return errors.Unanswered(message, wait)
        about_field: _Field = {"status": status, "field": self._mask(said.field), "request_id": said.request_id}
        if status in _DENIED:
            return errors.Denied(message, wait, **about_field)
        if status == _CONFLICT:
            return errors.Conflict(message, wait, **about_field)
        return errors.Permanent(message, **about_field)

    def _mask(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _settled(failure: errors.Failure, method: str) -> errors.Failure:
    """What a GET was about surely did not happen: it was to do nothing."""
    if method == "GET" and isinstance(failure, errors.Unanswered):
        return errors.Temporary(failure.message, failure.retry_after)
    return failure


def outcome_of(problem: Exception) -> type[errors.Failure]:
    """Say what one of httpx's exceptions means; an unknown one means what its nearest known base class does."""
    return next((OUTCOMES[kind] for kind in type(problem).__mro__ if kind in OUTCOMES), errors.Unanswered)


def _result(kind: type[errors.Failure]) -> str:
    """Name the outcome of a request that failed, for the metric."""
    return next(name for base, name in _RESULTS if issubclass(kind, base))


_RESULTS: tuple[tuple[type[errors.Failure], str], ...] = (
    (errors.Throttled, "throttled"),
    (errors.Denied, "refused"),
    (errors.Conflict, "refused"),
    (errors.Permanent, "refused"),
    (errors.Temporary, "temporary"),
    (errors.Failure, "unanswered"),
)


async def _read_capped(response: httpx.Response, most_bytes: int) -> bytes | None:
    """Read the body as it streams; None once it is larger than the cap."""
    chunks = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > most_bytes:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _parse_or_none(raw: bytes | None) -> Any:
    try:
        return msgspec.json.decode(raw or b"null")
    except Undecodable:
        return None


def _read_nothing(status: int, body: Any, headers: Mapping[str, str]) -> VendorMessage:  # noqa: ARG001 - a ReadError
    return VendorMessage()


@functools.cache
def ssl_context(*, of_environment: bool) -> ssl.SSLContext:
    """What vendors are trusted by; once for all accounts: to read it takes long enough to be felt by others."""
    return httpx.create_ssl_context(trust_env=of_environment)
