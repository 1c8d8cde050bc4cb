"""A loopback server that returns scripted bytes, and a client that calls it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from router.outbound import client

SECRET = "sk-very-secret"
NOW = 1_700_000_000_000_000


class Wire:
    """The received requests and the scripted raw responses. The last response repeats."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.connections = 0
        self.answers: list[bytes | None] = []
        self.trickles = False  # After a response's head, send a byte of its body every 10 ms without end.
        self.settings: dict[str, Any] = {}
        self.let_go: asyncio.Event
        self._writers: list[asyncio.StreamWriter] = []

    def push(self, data: bytes) -> None:
        """Send unsolicited bytes on every open connection."""
        for writer in self._writers:
            writer.write(data)

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()

    def answer(self, status: int, body: bytes = b"", *headers: str) -> None:
        """Script the response to the next call."""
        lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}", *headers]
        self.answers.append("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                self.received.append(head + await reader.readexactly(int(lengths[0]) if lengths else 0))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:  # Don't respond, but keep the connection open until the test ends.
                    await self.let_go.wait()
                    break
                writer.write(answer)
                while self.trickles and not self.let_go.is_set():
                    writer.write(b"1\r\n \r\n")
                    await asyncio.sleep(0.01)
                if b"connection: close" in answer or b"HTTP/1.1" not in answer:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            self._writers.remove(writer)
            writer.close()
            self.ended.release()

    def run(self, body: Callable[[client.Client], Coroutine[Any, Any, Any]]) -> Any:
        """Run ``body`` with a client of this server."""

        async def main() -> Any:
            self.ended = asyncio.Semaphore(0)
            self.connections = 0
            self.let_go = asyncio.Event()
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            settings = {"base_url": url, "timeout_seconds": 5.0, **self.settings}
            http = client.Client(
                name="on-call",
                headers={"authorization": f"Bearer {SECRET}"},
                now=lambda: NOW,
                secrets=[SECRET],
                **settings,
            )
            try:
                return await body(http)
            finally:
                await http.aclose()
                self.let_go.set()
                server.close()
                for _ in range(self.connections):
                    await self.ended.acquire()

        return asyncio.run(main())


@pytest.fixture
def wire() -> Wire:
    """A server that is not running yet."""
    return Wire()


@pytest.fixture
def secret() -> str:
    """The API key of the client's account."""
    return SECRET
