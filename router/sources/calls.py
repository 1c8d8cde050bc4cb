"""Requests below a webhook's URL: the paths that clients of a vendor's API append to their base URL.

The router stores one body per delivery and reads it again in replays, so the rest of the request must be stored with
the body. A call is stored as ``{"body": {…}, "request": "POST /v2/alerts/a/close?x=y"}``.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self
from urllib import parse

import msgspec

_REQUEST = "request"
_BODY = "body"
_FIELDS = {_REQUEST, _BODY}
_PARTS_OF_A_LINE = 2  # "POST /v2/alerts"


class Call(NamedTuple):
    """One request: its method, its path below the webhook's URL, and its query.

    ``path`` begins with a slash and is percent-encoded, as the client sent it: an identifier may contain a slash.
    """

    method: str
    path: str
    query: str = ""

    @classmethod
    def from_line(cls, line: str) -> Self | None:
        """Parse a stored request line. Return None if it isn't one."""
        parts = line.split(" ")
        # A sender's own body may have a member of this name, so the line is validated.
        if len(parts) != _PARTS_OF_A_LINE or not parts[1].startswith("/"):
            return None
        path, _, query = parts[1].partition("?")
        return cls(parts[0], path, query)

    @property
    def line(self) -> str:
        """Return the request line as it is stored, without the protocol version."""
        return f"{self.method} {self.path}?{self.query}" if self.query else f"{self.method} {self.path}"

    @property
    def segments(self) -> tuple[str, ...]:
        """Return the decoded parts of the path between slashes, without a trailing empty one."""
        return tuple(parse.unquote(part) for part in self.path.strip("/").split("/"))

    def parameter(self, name: str) -> str:
        """Return the last value of a query parameter; empty if there is none."""
        values = [value for key, value in parse.parse_qsl(self.query) if key == name]
        return values[-1] if values else ""


class Reply(NamedTuple):
    """The complete response to a call that delivers nothing."""

    status: int
    body: Mapping[str, Any]


class UnknownCall(Exception):
    """A path, or a method of a path, that this kind of source doesn't serve. The message says what the kind serves."""


def wrap(call: Call, body: bytes) -> bytes:
    """Combine a request line with its body, which isn't parsed. An empty body becomes null.

    The line comes last, because the last of two members with the same name counts: a body can't inject another line.
    """
    return b'{"body":%b,"request":%b}' % (body.strip() or b"null", msgspec.json.encode(call.line))


def unwrap(envelope: Mapping[str, Any]) -> tuple[Call | None, Any]:
    """Separate a stored call from its body. A body that isn't a stored call is returned unchanged, with None."""
    line = envelope.get(_REQUEST)
    # An envelope has no other members, so a body that has more is the sender's own.
    if not isinstance(line, str) or not envelope.keys() <= _FIELDS:
        return None, envelope
    call = Call.from_line(line)
    return (None, envelope) if call is None else (call, envelope.get(_BODY))
