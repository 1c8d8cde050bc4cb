"""An httpx transport to one vendor: a pool of aiohttp's HTTP/1.1 connections, and a table that maps each exception.

The transport must not silently retry a call that the vendor may have carried out. It must not assign a response to the
wrong call. So it changes two behaviors of aiohttp:

- aiohttp retries a GET, PUT, or DELETE if its connection breaks. ``_send_once`` reports the break instead.
- aiohttp reuses a connection on which the server has sent unsolicited data, such as a gateway's 408 before it closes
  an idle connection. The next call would get that response, and each later call the response to the previous call.
  ``_Request`` rejects such a connection. Nothing was sent on it, so ``_send_once`` uses another connection.
"""

import urllib.parse
import urllib.request
from collections.abc import Mapping

import aiohttp
import httpx
import yarl

from router.outbound import authorities, errors, loopback

_MAX_CONNECTIONS = 32
_IDLE_SECONDS = 60.0  # Idle connections stay open this long, as with common load balancers.
_MAX_HEADER_BYTES = 64 * 1024  # For one header. Content security policies in front of an API can be long.


class Interrupted(aiohttp.ClientError):
    """The connection broke after the request was sent, or while it was being sent."""


class _StaleConnection(aiohttp.ClientError):
    """A kept connection is unusable. Nothing was sent on it."""


# Maps exceptions to failures. A subclass maps as its nearest base class, so subclasses of later releases map, too.
OUTCOMES: Mapping[type[BaseException], type[errors.Failure]] = {
    # Nothing was sent to the vendor: DNS, connection, or TLS failed, the pool is exhausted, or a proxy refused.
    aiohttp.ClientConnectorError: errors.Temporary,
    aiohttp.ConnectionTimeoutError: errors.Temporary,
    aiohttp.ClientHttpProxyError: errors.Temporary,
    _StaleConnection: errors.Temporary,
    # The request itself is invalid, so a retry can't help.
    aiohttp.InvalidURL: errors.Permanent,
    aiohttp.NonHttpUrlClientError: errors.Permanent,
    # The request was sent, or may have been.
    aiohttp.ClientError: errors.Unanswered,
    aiohttp.http_exceptions.HttpProcessingError: errors.Unanswered,
    OSError: errors.Unanswered,
    ValueError: errors.Unanswered,
}

# aiohttp sets these request headers, and has already decoded the body of a response.
_OF_CONNECTION = frozenset({"host", "content-length", "connection", "transfer-encoding"})
_DECODED = frozenset({b"content-encoding", b"content-length", b"transfer-encoding", b"set-cookie"})


class Transport(httpx.AsyncBaseTransport):
    """A transport with up to 32 connections to the host of ``base_url``, through the proxy of the environment, if any.

    ``timeout_seconds`` is the time limit of a call, which the caller enforces. Getting a connection may take 40% of it,
    so that failures distinguish an unreachable vendor from one that doesn't respond.

    A response has no ``set-cookie``, because a vendor account keeps no session. Its extension ``too_large`` is true if
    its body is larger than ``most_bytes``.
    """

    def __init__(self, base_url: str, timeout_seconds: float, most_bytes: int) -> None:
        self._timeout = aiohttp.ClientTimeout(total=None, connect=0.4 * timeout_seconds)
        self._most_bytes = most_bytes
        self._proxy, self._proxy_headers = _without_credentials(proxy_of_environment(base_url))
        # A tunnel has its own headers. A request that the proxy forwards has only one set of headers.
        self._headers = self._proxy_headers if not base_url.startswith("https:") else {}
        # A proxy or an authority from the environment applies to other hosts, never to this machine.
        self._ssl = authorities.tls_context(of_environment=not loopback.is_loopback(base_url))
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request whose body is in memory, and read the response. The URL is sent as it is quoted.

        Raises one of ``errors``, which httpx passes on, with the foreign exception as its cause.
        """
        headers = {name: value for name, value in request.headers.items() if name not in _OF_CONNECTION}
        address = _address(str(request.url))
        _check_headers(headers)
        try:
            async with self._get_session().request(
                request.method,
                address,
                data=request.content if "content-length" in request.headers else None,
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
            ) as response:
                body = await _read_capped(response, self._most_bytes)
                extensions = {"too_large": body is None}
                return httpx.Response(
                    response.status, headers=_read_headers(response), content=body or b"", extensions=extensions
                )
        except tuple(OUTCOMES) as problem:
            # Whether anything was sent decides if the call may be repeated.
            raise outcome_of(problem)(_describe(problem)) from problem

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _get_session(self) -> aiohttp.ClientSession:
        """Return the session, created on the first call, because it belongs to the running event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, keepalive_timeout=_IDLE_SECONDS, ssl=self._ssl),
                headers=self._headers,
                skip_auto_headers=("content-type",),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                request_class=_Request,
                middlewares=(_send_once,),
                max_line_size=_MAX_HEADER_BYTES,
                max_field_size=_MAX_HEADER_BYTES,
                trust_env=False,  # True would also read passwords from ~/.netrc.
            )
        return self._session


class _Request(aiohttp.ClientRequest):
    """A request that rejects a kept connection on which unsolicited data has arrived."""

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        if conn.protocol is None or conn.protocol.should_close or not conn.protocol.is_connected():
            raise _StaleConnection("the kept connection is unusable")
        return await super().send(conn)


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request. Retry on another connection only if nothing was sent."""
    for _ in range(_MAX_CONNECTIONS):
        try:
            return await handler(request)
        # Nothing was sent, so the request is safe to send on another connection.
        except _StaleConnection:
            continue
        # No connection was made, so the vendor hasn't seen the request.
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise
        # The connection broke after the request began, so its effect is unknown.
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as problem:
            raise Interrupted(f"{type(problem).__name__}: {problem}") from problem
    return await handler(request)


def _describe(problem: BaseException) -> str:
    """Describe an exception for operators. Libraries' texts name internals, such as ``ssl:default``."""
    if isinstance(problem, aiohttp.ClientConnectorError):
        return f"can't connect to {problem.host}:{problem.port}: {problem.os_error.strerror or problem.os_error}"
    return f"{type(problem).__name__}: {problem}"


def outcome_of(problem: BaseException) -> type[errors.Failure]:
    """Return the failure class for an exception: that of its nearest base class in ``OUTCOMES``."""
    return next(OUTCOMES[kind] for kind in type(problem).__mro__ if kind in OUTCOMES)


def proxy_of_environment(url: str) -> yarl.URL | None:
    """Return the proxy for a URL, from ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, and ``NO_PROXY``.

    Return None for a URL on this machine. Raise ``ValueError`` if the proxy isn't an HTTP proxy.
    """
    parts = urllib.parse.urlsplit(url)
    # A proxy can't reach this machine by a loopback address.
    if loopback.is_loopback(url) or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    proxy_url = yarl.URL(proxy if "://" in proxy else f"http://{proxy}")
    if proxy_url.scheme not in {"http", "https"}:
        raise ValueError(f"the proxy from the environment must be an HTTP proxy, not {proxy_url.scheme}")
    return proxy_url


def _without_credentials(proxy: yarl.URL | None) -> tuple[yarl.URL | None, Mapping[str, str]]:
    """Move a proxy's credentials from its URL to a header, because error messages show the URL."""
    if proxy is None or proxy.user is None:
        return proxy, {}
    header = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
    return proxy.with_user(None), {"proxy-authorization": header}


def _address(url: str) -> yarl.URL:
    """Parse a URL without changing its quoting: a quoted dot or slash stays part of its segment."""
    try:
        address = yarl.URL(url, encoded=True)
        _ = address.host, address.port  # yarl parses them when they are read.
    except ValueError as problem:
        raise errors.Permanent(f"{type(problem).__name__}: {problem}") from problem
    return address


def _check_headers(headers: Mapping[str, str]) -> None:
    """Raise ``Permanent`` if a value could inject another header."""
    for name, value in headers.items():
        if any(mark in value for mark in "\r\n\0"):
            raise errors.Permanent(f"the header {name} has a line break or a NUL")


def _read_headers(response: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in response.raw_headers if name.lower() not in _DECODED]


async def _read_capped(response: aiohttp.ClientResponse, most_bytes: int) -> bytes | None:
    """Read and decompress the body. If it exceeds ``most_bytes``, close the connection and return None."""
    chunks = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > most_bytes:
            response.close()
            return None
        chunks.append(chunk)
    return b"".join(chunks)
