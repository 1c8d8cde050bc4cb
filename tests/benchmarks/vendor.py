"""A vendor that answers creates like incident.io or Slack, and records when it received each one.

Times are ``time.monotonic_ns``, a clock that all processes of a machine share. ``GET /received?name=NAME`` waits
until the incident of that name is received, and returns the time. ``GET /received`` returns all times immediately.
"""

import asyncio
import json
import re
import time
import urllib.parse

import uvloop

from tests.benchmarks import load

_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_NAME = re.compile(rb'"(?:name|host)": *"([^"]+)"')  # An incident of the router, or a group of Alertmanager.
_NODE = re.compile(rb"on node ([0-9]{8})")
_POSTED = {"ok": True, "channel": "C1", "ts": "1.1"}
_LISTS = {
    "/v1/severities": {
        "severities": [
            {"id": f"01S{rank}", "name": name, "rank": rank} for rank, name in enumerate(("Minor", "Major", "Critical"))
        ]
    },
    "/v1/incident_statuses": {
        "incident_statuses": [
            {"id": "01T1", "name": "Investigating", "category": "live", "rank": 1},
            {"id": "01T2", "name": "Closed", "category": "closed", "rank": 2},
        ]
    },
    "/v1/incident_types": {"incident_types": []},
    "/v2/incidents": {"incidents": [], "pagination_meta": {"page_size": 25}},
}
_CREATED = {"incident": {"id": "01BENCH", "permalink": "https://app.incident.example/1"}}

Received = dict[str, int]


class _Connection(asyncio.Protocol):
    def __init__(self, received: Received, waiting: "dict[str, _Connection]") -> None:
        self._received = received
        self._waiting = waiting
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        at = time.monotonic_ns()
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        length = _LENGTH.search(self._buffer, 0, max(end, 0))
        size = end + 4 + (int(length[1]) if length else 0)
        if end < 0 or len(self._buffer) < size:
            return
        request, self._buffer = self._buffer[:size], self._buffer[size:]
        method, target, _ = request.split(b" ", 2)
        self._answer(method.decode(), urllib.parse.urlsplit(target.decode()), request[end:], at)

    def _answer(self, method: str, target: urllib.parse.SplitResult, body: bytes, at: int) -> None:
        if target.path.startswith("/chat."):
            if node := _NODE.search(body):
                self._take(f"host-{node[1].decode()}", at)
            self.respond(_POSTED)
        elif method == "POST":
            name = _NAME.search(body)
            if name is not None:
                self._take(name[1].decode(), at)
            self.respond(_CREATED)
        elif target.path != "/received":
            self.respond(_LISTS[target.path])
        elif not target.query:
            self.respond(self._received)
        elif (name := urllib.parse.parse_qs(target.query)["name"][0]) in self._received:
            self.respond(self._received[name])
        else:
            self._waiting[name] = self

    def _take(self, name: str, at: int) -> None:
        self._received.setdefault(name, at)
        if waiter := self._waiting.pop(name, None):
            waiter.respond(at)

    def respond(self, document: object) -> None:
        raw = json.dumps(document).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
        self._write(head.encode() + raw)


async def _serve(port: int) -> None:
    received: Received = {}
    waiting: dict[str, _Connection] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(received, waiting), "127.0.0.1", port)
    await server.serve_forever()


def main(port: int) -> None:
    """Serve on core 1, with the load."""
    load.pin(1)
    uvloop.run(_serve(port))
