"""The log of all calls to the simulated vendors, with their times and responses."""

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Call:
    """One call. ``at`` is microseconds since the epoch. ``status`` is 0 if there was no response."""

    number: int
    at: int
    vendor: str
    method: str
    path: str
    query: str
    body: Any = None
    status: int = 0
    idempotency_key: str = ""
    fault: str = ""


class Calls:
    """All calls since the start or the last reset."""

    def __init__(self) -> None:
        self.all: list[Call] = []

    def begin(self, at: int, vendor: str, method: str, path: str, query: str) -> Call:
        """Record a call that was received."""
        # The call is logged before its response, so that calls that hang or are cut off are in the log, too.
        call = Call(len(self.all) + 1, at, vendor, method, path, query)
        self.all.append(call)
        return call

    def find(self, vendor: str, method: str, path: str) -> list[dict[str, Any]]:
        """Return the calls of a vendor and a method whose paths have this prefix. Empty arguments match everything."""
        return [
            asdict(call)
            for call in self.all
            if vendor in {"", call.vendor} and method.upper() in {"", call.method} and call.path.startswith(path)
        ]


def read_body(call: Call, raw: bytes) -> None:
    """Record the body of a call, decoded if it is JSON."""
    try:
        call.body = json.loads(raw) if raw else None
    except ValueError:
        # Slack's methods also take forms, and a faulty client may send anything. The log shows either.
        call.body = raw.decode("utf-8", "replace")
    if isinstance(call.body, dict):
        # incident.io takes the key in the body and not in a header.
        call.idempotency_key = str(call.body.get("idempotency_key") or "")
