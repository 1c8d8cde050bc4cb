"""An app's HTTP endpoint for requests of the simulated Slack, with configurable responses."""

import contextlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

from slack_sdk import signature


class Receiver:
    """``forms`` are the received forms. ``statuses`` and ``bodies`` are the next responses; then 200 without a body."""

    def __init__(self) -> None:
        self.url = ""
        self.forms: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.raw: list[bytes] = []
        self.statuses: list[int] = []
        self.bodies: list[Any] = []

    def is_signed(self, secret: str) -> bool:
        """Whether Slack's SDK accepts the signature of the newest request."""
        at = float(self.headers[-1]["x-slack-request-timestamp"])
        clock = type("Clock", (), {"now": lambda _: at})()
        return signature.SignatureVerifier(secret, clock).is_valid_request(self.raw[-1], self.headers[-1])


@contextlib.contextmanager
def run_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            receiver.raw.append(raw)
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            receiver.forms.append(dict(urllib.parse.parse_qsl(raw.decode(), keep_blank_values=True)))
            body = json.dumps(receiver.bodies.pop(0)).encode() if receiver.bodies else b""
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"http://127.0.0.1:{listening.server_port}/slack"
    try:
        yield receiver
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
