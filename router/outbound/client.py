"""The HTTP client of a vendor account.

It keeps connections open, calls no other host, limits the size of responses, and maps every failure to one of
``errors``.
"""

import asyncio
import copy
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypedDict, TypeVar
from urllib.parse import quote, urlencode

import httpx
import msgspec

import router
from router.domain.times import Timestamp
from router.domain.undecodable import Undecodable
from router.outbound import call_policy, errors, retry_after
from router.telemetry import instruments, metrics

BODY_CAP = 4 * 1024 * 1024  # Maximum size of a response in bytes; the largest pages of vendors are far smaller.

_TOO_EARLY, _TIMED_OUT, _TOO_MANY, _CONFLICT = 425, 408, 429, 409
_DENIED = frozenset({401, 403})
_VERSION = re.compile(r"v\d+")
_NOT_FOUND, _GONE = 404, 410
_UNQUOTED = "%/:?[]@!$&'()*+,;=~"  # What a path may contain as it is. It is quoted already; foreign letters are not.

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
class RawBody:
    """A request body that is sent unchanged, for example because it is signed, with the headers of this request.

    ``is_answer_ignored``: any response with a status of 200 to 299 is a success, whatever its body.
    """

    body: bytes
    headers: Mapping[str, str]
    is_answer_ignored: bool = False


@dataclass(frozen=True, slots=True)
class VendorResponse:
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
            raise errors.Unanswered(f"{self.about}: unexpected response: {problem}") from problem


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


class Client:
    """Calls one account of one vendor.

    ``name`` is the destination's name, for messages. ``timeout_seconds`` limits a whole call, from waiting for a
    connection to the last byte of the response. ``now`` returns epoch microseconds, to parse dates in ``Retry-After``.
    ``secrets`` are masked in every message; ``headers`` usually contain them. ``read_error`` parses the vendor's error
    envelope; it may raise an exception that isn't a ``Failure``, which then ends the call. At most ``most_bytes`` of a
    response are read. If ``quota`` is set, each call takes a token from it, as ``budget`` permits.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        headers: Mapping[str, str],
        timeout_seconds: float,
        now: Callable[[], Timestamp],
        secrets: Iterable[str] = (),
        read_error: ReadError | None = None,
        most_bytes: int = BODY_CAP,
    ) -> None:
        self.quota: call_policy.Quota | None = None
        self.name = name
        self.budget = call_policy.UNLIMITED
        self._base = base_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._now = now
        # A secret may be part of a path, and the URL in a message has it quoted.
        masked = {form for secret in secrets if secret for form in (secret, quote(secret, safe=_UNQUOTED))}
        self._secrets = tuple(sorted(masked, key=len, reverse=True))
        self._read_error = read_error or _read_nothing
        self._most_bytes = most_bytes
        # Imported here, because aiohttp takes 0.1 s, and most commands call no vendor.
        from router.outbound import connections

        agent = {"user-agent": f"incident-router/{router.__version__}", "accept": "application/json"}
        self._transport = connections.Transport(self._base, timeout_seconds, most_bytes)
        self._http = httpx.AsyncClient(
            transport=self._transport,
            headers={**agent, "accept-encoding": "gzip, deflate", **headers},
            timeout=timeout_seconds,
            trust_env=False,  # The transport reads the proxy variables.
        )

    def __repr__(self) -> str:
        return f"Client(name={self.name!r}, base_url={self._mask(self._base)!r})"

    def within(self, budget: call_policy.CallBudget) -> Self:
        """Return a client with this budget. It shares the connections and the quota, and is never closed itself."""
        limited = copy.copy(self)
        limited.budget = budget
        return limited

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        query: Mapping[str, Any] | None = None,
        content: RawBody | None = None,
    ) -> VendorResponse:
        """Make one call below the base URL and return the response. Raises one of ``errors``.

        ``path`` starts with a slash. ``json`` is anything that msgspec can encode; None sends no body. ``content`` is
        sent unchanged instead of ``json``. A GET has no effect, so a GET without a response is ``Temporary``.
        """
        # A body that is signed was encoded by the caller. Encoding it again would break its signature.
        if content is None and json is not None:
            content = RawBody(msgspec.json.encode(json), {"content-type": "application/json"})
        description = f"{self.name}: {method} {path}"
        if not path.startswith("/"):
            raise errors.Permanent(f"{description}: the path must start with a slash")
        endpoint_name = endpoint(method, path)
        # Before the timer of the call starts: waiting for a token says nothing about the vendor.
        if self.quota is not None:
            turn = call_policy.Turn(self.budget.floor, endpoint_name)
            await call_policy.wait_for_quota(self.quota, turn, description, self.budget.ends_at)
        try:
            return await self._timed_exchange(method, path, description, content=content, query=query)
        # The request may have arrived, so the call may have had an effect.
        except TimeoutError as problem:
            failure: errors.Failure = errors.Unanswered(f"{description}: no answer within {self._timeout_seconds:g} s")
            raise _map_get_failure(failure, method) from problem
        except errors.Throttled as problem:
            # All processes of the account stop calling, not only the one that was throttled.
            if self.quota is not None and problem.retry_after:
                await self.quota.pause(problem.retry_after, "" if problem.is_account_wide else endpoint_name)
            raise
        except errors.Unanswered as problem:
            raise _map_get_failure(problem, method) from problem.__cause__

    async def read(self, path: str, shape: type[Shape], *, query: Mapping[str, Any] | None = None) -> Shape:
        """GET ``path`` and decode the response.

        Raises ``Temporary`` if it can't be decoded. Momentary failures are retried.
        """

        async def once() -> Shape:
            answer = await self.call("GET", path, query=query)
            try:
                return answer.read(shape)
            except errors.Unanswered as problem:
                raise _map_get_failure(problem, "GET") from problem

        return await call_policy.retry_read(once, self.budget.ends_at)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _timed_exchange(
        self, method: str, path: str, description: str, *, content: RawBody | None, query: Mapping[str, Any] | None
    ) -> VendorResponse:
        """Run ``_exchange`` within the time limit of a call, and measure its duration."""
        began, result = instruments.clock(), "unanswered"
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._exchange(method, path, description, content=content, query=query)
        except errors.Failure as problem:
            result = _result(type(problem))
            raise
        else:
            result = "ok"
            return answer
        finally:
            metrics.vendor_request_duration_seconds.labels(self.name, self.budget.operation, result).observe_since(
                began
            )

    async def _exchange(
        self, method: str, path: str, description: str, *, content: RawBody | None, query: Mapping[str, Any] | None
    ) -> VendorResponse:
        body, headers = (None, {}) if content is None else (content.body, content.headers)
        url = self._base + quote(path, safe=_UNQUOTED) + (f"?{_query(query)}" if query else "")
        try:
            request = self._http.build_request(method, url, content=body, headers=headers)
        except (httpx.InvalidURL, ValueError) as problem:
            raise errors.Permanent(self._mask(f"{description}: {type(problem).__name__}: {problem}")) from problem
        try:
            response = await self._http.send(request)
        except errors.Failure as problem:
            raise type(problem)(self._mask(f"{description}: {problem.message}")) from problem.__cause__
        # A body that is too large isn't read to its end, so it can't be parsed.
        raw = None if response.extensions["too_large"] else response.content
        if not 200 <= response.status_code < 300:
            raise self._refusal(response.status_code, _parse_or_none(raw), response.headers, description)
        # Webhook receivers respond with any body.
        if content is not None and content.is_answer_ignored:
            return VendorResponse(response.status_code, None, response.headers, description)
        return VendorResponse(response.status_code, self._parse(raw, description), response.headers, description)

    def _parse(self, raw: bytes | None, description: str) -> Any:
        # The vendor has accepted the request, so the effect has to be looked up, not repeated.
        if raw is None:
            raise errors.Unanswered(f"{description}: the answer is larger than {self._most_bytes} bytes")
        if not raw.strip():
            return None
        try:
            return msgspec.json.decode(raw)
        except Undecodable as problem:
            raise errors.Unanswered(f"{description}: the answer is not JSON") from problem

    def _refusal(self, status: int, body: Any, headers: Mapping[str, str], description: str) -> errors.Failure:
        vendor_message = self._read_error(status, body, headers)
        message = self._mask(
            f"{description}: {status}" + (f": {vendor_message.message}" if vendor_message.message else "")
        )
        # Some vendors put the delay into the body instead of the header.
        wait = retry_after.seconds(headers.get("retry-after", "") or vendor_message.retry_after, now=self._now())
        if status in {_TOO_EARLY, _TOO_MANY}:
            limit = self._mask(vendor_message.limit)
            return errors.Throttled(message, wait, limit=limit, is_account_wide=vendor_message.is_account_wide)
        # A gateway may respond 408 to a request that the vendor behind it still processes.
        if status >= 500 or status == _TIMED_OUT:
            return errors.Unanswered(message, wait)
        if status in {_NOT_FOUND, _GONE}:
            # A proxy's 404 says nothing about the object: treating it as deleted would open an incident twice.
            if not vendor_message.is_own:
                message += ": this is not the vendor's error format; check the base URL, and the proxies in front of it"
                return errors.Unanswered(message, wait)
            return errors.NotFound(
                message, status=status, field=self._mask(vendor_message.field), request_id=vendor_message.request_id
            )
        # APIs don't redirect; a proxy does. It is unknown what became of the request.
        if status < 400:
            message += ": the API would not redirect; correct the base URL"
            return errors.Unanswered(message, wait)
        about_field: _Field = {
            "status": status,
            "field": self._mask(vendor_message.field),
            "request_id": vendor_message.request_id,
        }
        # Denied calls are retried, because an operator can renew the key without a restart.
        if status in _DENIED:
            return errors.Denied(message, wait, **about_field)
        # Another client changed the object, or the call was made before. Reading the object tells which.
        if status == _CONFLICT:
            return errors.Conflict(message, wait, **about_field)
        return errors.Permanent(message, **about_field)

    def _mask(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _map_get_failure(failure: errors.Failure, method: str) -> errors.Failure:
    """Map an unknown outcome of a GET to ``Temporary``: a GET has no effect."""
    if method == "GET" and isinstance(failure, errors.Unanswered):
        return errors.Temporary(failure.message, failure.retry_after)
    return failure


def _query(query: Mapping[str, Any]) -> str:
    """Return the query of a URL. A list is repeated; a Boolean is written as in JSON."""
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
    return urlencode(texts, doseq=True, quote_via=quote)


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


def _parse_or_none(raw: bytes | None) -> Any:
    try:
        return msgspec.json.decode(raw or b"null")
    except Undecodable:
        return None


def _read_nothing(status: int, body: Any, headers: Mapping[str, str]) -> VendorMessage:  # noqa: ARG001 - a ReadError
    return VendorMessage()
