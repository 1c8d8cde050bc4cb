"""Errors as ``application/problem+json`` (RFC 9457)."""

import http
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

import msgspec

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

CONTENT_TYPE = b"application/problem+json"


class Problem(Exception):
    """A failed request.

    ``name`` is the last part of the problem's ``type``, a fixed word. ``detail`` is one sentence for the sender, who
    may be unauthenticated, so it contains no secret and no stack trace. ``extras`` become further members of the
    document.
    """

    def __init__(
        self, status: int, name: str, detail: str, *, headers: Iterable[tuple[bytes, bytes]] = (), **extras: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.headers = tuple(headers)
        self.extras = extras


def release(error: BaseException) -> None:
    """Drop the tracebacks of an expected error and of its causes.

    They hold the variables of all functions that the error passed: bodies and parsed values, which no budget counts
    while the router waits for Redis or for the network.
    """
    released: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in released:  # An error can be the context of its own cause.
        cause.__traceback__ = None
        released.append(cause)
        cause = cause.__cause__ or cause.__context__


def render(problem: Problem, instance: str) -> tuple[Headers, bytes]:
    """Make the headers and the body of the response; ``instance`` is the requested path."""
    body = msgspec.json.encode(
        {
            "type": f"urn:incident-router:problem:{problem.name}",
            "title": http.HTTPStatus(problem.status).phrase,
            "status": problem.status,
            "detail": problem.detail,
            "instance": instance,
            **problem.extras,
        }
    )
    headers = [
        (b"content-type", CONTENT_TYPE),
        (b"content-length", b"%d" % len(body)),
        *problem.headers,
    ]
    return headers, body


async def answer(send: Send, problem: Problem, scope: Mapping[str, Any]) -> None:
    """Send the problem as the response to the request of this scope."""
    headers, body = render(problem, scope["path"])
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def unavailable(reason: str, retry_after_seconds: int) -> Problem:
    """Make a 503: nothing was stored, and ``Retry-After`` says when to retry."""
    return Problem(
        503,
        "unavailable",
        f"nothing was stored: {reason}; retry the request",
        headers=[(b"retry-after", b"%d" % retry_after_seconds)],
    )
