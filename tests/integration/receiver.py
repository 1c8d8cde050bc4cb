"""A webhook receiver that records every request and returns configured responses."""

import contextlib
import threading
from collections.abc import Iterator
from http import server
from typing import Any, NamedTuple

import msgspec


class Request(NamedTuple):
    """One request as it was received; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvents body."""
        return msgspec.json.decode(self.body)


class Receiver:
    """Responds with 204, or with the next entry of ``answers``: a status, or a status with headers."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[int | tuple[int, dict[str, str]]] = []
        self.always: int = 204
        self.body = b""
        outer = self

        class Handler(server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append(Request(self.path, headers, body))
                answer = outer.answers.pop(0) if outer.answers else outer.always
                status, more = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(outer.body) if status != 204 else 0))
                self.end_headers()
                if status != 204:
                    self.wfile.write(outer.body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def types(self) -> list[str]:
        """The types of the events that were received, in order."""
        return [request.event["type"].removeprefix("incident-router.") for request in self.requests]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def run_receiver() -> Iterator[Receiver]:
    """Run a receiver for the duration of the block."""
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()
