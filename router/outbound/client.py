"""The HTTP client of a vendor account.

It keeps connections open, calls no other host, limits the size of responses, and maps every failure to one of
``errors``.
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

BODY_CAP = 4 * 1024 * 1024  # Maximum size of a response in bytes; the largest pages of vendors are far smaller.

_TOO_EARLY, _TIMED_OUT, _TOO_MANY, _CONFLICT = 425, 408, 429, 409
_DENIED = frozenset({401, 403})
_VERSION = re.compile(r"v\d+")
_NOT_FOUND, _GONE = 404, 410
_IDLE_SECONDS = 60.0  # How long an idle connection stays open: as long as with common load balancers.

Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True)
class VendorMessage:
    """The content of a vendor's error envelope. ``retry_after`` is unparsed: seconds, an HTTP date, or RFC 3339.

    ``limit`` is the name of the limit that a 429 reports. ``is_account_wide`` says that the limit applies to every call
    of the account, not only to the endpoint. ``is_own`` is false if the body isn't in the vendor's error format: a
    gateway or a proxy responded instead.
    """

    message: str = ""
    field: str = ""
    request_id: str = ""
    retry_after: str = ""
    is_own: bool = True
    limit: str = ""
    is_account_wide: bool = True


class _Field(TypedDict):
    """Details of a refusal besides its message."""

    status: int
    field: str
    request_id: str


ReadError = Callable[[int, Any, Mapping[str, str]], VendorMessage]
"""Reads a vendor's error envelope from the status, the parsed body (None if it is not JSON) and the headers."""


@dataclass(frozen=True, slots=True)
class Content:
    """A request body that is sent unchanged, for example because it is signed, with the headers of this request.

    ``is_answer_ignored``: any response with a status of 200 to 299 is a success, whatever its body.
    """

    body: bytes
    headers: Mapping[str, str]
    is_answer_ignored: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A vendor's response with a status of 200 to 299. ``headers`` have lower-case names; ``body`` is None if empty.

    ``about`` names the call in messages.
    """

    status: int
    body: Any
    headers: Mapping[str, str]
    about: str = ""

    def read(self, shape: type[Shape]) -> Shape:
        """Decode the body. Raises ``Unanswered`` if it can't be decoded, because the call may have had an effect."""
        try:
            return msgspec.convert(self.body, shape)
        except msgspec.ValidationError as problem:
            raise errors.Unanswered(f"{self.about}: not the answer that was expected: {problem}") from problem


# The result of each httpx exception, with base classes for exceptions that a later release may add.
OUTCOMES: Mapping[type[Exception], type[errors.Failure]] = {
    # Nothing was sent.
    httpx.ConnectError: errors.Temporary,
    httpx.ConnectTimeout: errors.Temporary,
    httpx.PoolTimeout: errors.Temporary,
    httpx.ProxyError: errors.Temporary,
    # The request was sent, or may have been.
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
    # The request itself is invalid, so a retry can't help.
    httpx.InvalidURL: errors.Permanent,
    httpx.UnsupportedProtocol: errors.Permanent,
    httpx.LocalProtocolError: errors.Permanent,
    httpx.TooManyRedirects: errors.Permanent,
    httpx.CookieConflict: errors.Permanent,
}

_FOREIGN = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict)


def segment(text: str) -> str:
    """Quote ``text`` so that it is one path segment, whatever it contains."""
    quoted = quote(text, safe="")
    # Segments of dots alone would be resolved as relative paths.
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

    ``name`` is the destination's name, for messages. ``timeout_seconds`` limits a whole call, from waiting for a
    connection to the last byte of the response. ``now`` returns epoch microseconds, to parse dates in ``Retry-After``.
    ``secrets`` are masked in every message; ``headers`` usually contain them. ``read_error`` parses the vendor's error
    envelope; it may raise an exception that isn't a ``Failure``, which then ends the call. At most ``most_bytes`` of a
    response are read. If ``quota`` is set, each call takes a token from it.
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
        # A proxy from the environment is meant for other hosts, never for this one.
        outside = not loopback.is_loopback(self._base)
        self._http = httpx.AsyncClient(
            headers={"user-agent": f"incident-router/{router.__version__}", "accept": "application/json", **headers},
            # Shares of the whole timeout, so that an unreachable vendor can be told from one that doesn't respond.
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
        """Make one call below the base URL and return the response. Raises one of ``errors``.

        ``path`` starts with a slash. ``json`` is anything that msgspec can encode; None sends no body. ``content`` is
        sent unchanged instead of ``json``. A GET has no effect, so a GET without a response is ``Temporary``.
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
        """GET ``path`` and decode the response.

        Raises ``Temporary`` if it can't be decoded. Momentary failures are retried.
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
        """Run ``_exchange`` within the time limit of a call, and measure its duration."""
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
        # A gateway may respond 408 to a request that the vendor behind it still processes.
        if status >= 500 or status == _TIMED_OUT:
            return errors.Unanswered(message, wait)
        if status in {_NOT_FOUND, _GONE}:
            if not said.is_own:
                message += ": this is not the vendor's error format; check the base URL and what is in front of it"
                return errors.Unanswered(message, wait)
            return errors.NotFound(message, status=status, field=self._mask(said.field), request_id=said.request_id)
        # APIs don't redirect; a proxy does. It is unknown what became of the request.
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
    """Map an unknown outcome of a GET to ``Temporary``: a GET has no effect."""
    if method == "GET" and isinstance(failure, errors.Unanswered):
        return errors.Temporary(failure.message, failure.retry_after)
    return failure


def outcome_of(problem: Exception) -> type[errors.Failure]:
    """Return the result of an httpx exception. For an unknown one it is that of its nearest known base class."""
    return next((OUTCOMES[kind] for kind in type(problem).__mro__ if kind in OUTCOMES), errors.Unanswered)


def _result(kind: type[errors.Failure]) -> str:
    """Return the outcome of a failed request, as a label of the metric."""
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
    """Read the body as a stream. Return None if it is larger than the limit."""
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
    """Return the TLS context for vendors. It is created once for all accounts, because loading authorities is slow."""
    return httpx.create_ssl_context(trust_env=of_environment)
