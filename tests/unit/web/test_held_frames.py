"""A refused body is released before the router stores or sends anything: tracebacks hold no bodies or parsed values.

A traceback keeps the variables of all its functions. While the router waits for Redis or for the network, they would
take memory outside the budget.
"""

import gzip
import sys
import types

import pytest

from router.web import problems, request_limits
from tests.unit.web import asgi_client

MIB = 1024 * 1024


def list_frames(error: BaseException | None) -> list[types.FrameType]:
    """The frames in the tracebacks of an error and of its causes."""
    found, seen = [], []
    while error is not None and error not in seen:
        trace = error.__traceback__
        while trace is not None:
            found.append(trace.tb_frame)
            trace = trace.tb_next
        seen.append(error)
        error = error.__cause__ or error.__context__
    return found


def list_held_functions(error: BaseException | None) -> list[str]:
    """The functions in the tracebacks of an error and of its causes, without those of the webhook handler."""
    found = [frame.f_code.co_qualname for frame in list_frames(error)]
    return [name for name in found if not name.startswith(("WebhookHandler.", "asked", "Recording."))]


def list_large_values(error: BaseException) -> list[str]:
    """The names of variables with more than 1 MiB in the tracebacks of an error and of its causes."""
    found = []
    for frame in list_frames(error):
        for name, value in frame.f_locals.items():
            values = value if isinstance(value, list) else [value]
            found += [name for one in values if isinstance(one, bytes) and len(one) > MIB]
    return found


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"\0" * 20 * MIB),
        gzip.compress(b"\0" * 15 * MIB) + b"no gzip",
        gzip.compress(b"\0" * 15 * MIB)[:-20],
        gzip.compress(b"\0" * 15 * MIB) + gzip.compress(b"") * 5000,
    ],
    ids=["too large", "no second member", "cut", "too many members"],
)
def test_refused_compressed_body_is_released(body):
    with pytest.raises(problems.Problem) as refused:
        request_limits.inflate(body, b"gzip", 16 * MIB)
    assert list_large_values(refused.value) == []


class Watching(asgi_client.Recording):
    """Record which functions the handled error holds when something is stored."""

    held: list[str] | None = None

    async def add(self, *arguments):
        self.held = list_held_functions(sys.exception())
        return await super().add(*arguments)

    async def count_refused(self, *arguments):
        self.held = list_held_functions(sys.exception())
        return await super().count_refused(*arguments)


@pytest.mark.parametrize(
    ("source", "body", "headers"),
    [
        ("any", b'{"title":', []),
        ("any", b'{"title":"' + b"x" * MIB, []),
        ("any", b"[" * 100_000, []),
        ("any", b"[{},{}]", []),
        ("prod", b'{"version":"4","alerts":[{}]}', []),
        ("any", gzip.compress(b"\0" * 20 * MIB), [(b"content-encoding", b"gzip")]),
        ("any", b"\x1f\x8b", [(b"content-encoding", b"gzip")]),
    ],
    ids=["cut", "large and cut", "deep", "not alerts", "empty alert", "too large", "no gzip"],
)
def test_refused_body_is_released_while_stored(source, body, headers):
    store = Watching()
    token = (b"authorization", b"Bearer token")
    asgi_client.send(asgi_client.web_server(store), f"/v1/webhooks/{source}", chunks=(body,), headers=[token, *headers])
    assert store.held == []
