"""A scripted vendor on the loopback interface, and a destination that calls it."""

import asyncio
import json
import urllib.parse
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from router.destinations import registry
from router.domain import operations, publications, severities

SECRET = "sk-very-secret"
EPISODE = "00000000000000000000000000000001"
OPENED_AT = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z


class Call(NamedTuple):
    """One call that the vendor received."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


class Vendor:
    """Answers calls by (method, path).

    The last of several answers repeats. While ``failing`` is a status, every call except GET returns that status and
    echoes the caller's key.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.failing = 0
        self._answers: dict[tuple[str, str], list[tuple[int, Any, dict[str, str]]]] = {}
        self._connections = 0

    def answer(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> None:
        """Script an answer. ``status=0`` accepts the call and drops the connection."""
        self._answers.setdefault((method, path), []).append((status, body, headers))

    def forget(self, method: str, path: str) -> None:
        """Remove all scripted answers."""
        self._answers.pop((method, path), None)

    @property
    def made(self) -> list[str]:
        """Return the calls, each as ``METHOD path``."""
        return [f"{call.method} {call.path}" for call in self.calls]

    @property
    def changes(self) -> list[str]:
        """Return the calls other than reads."""
        return [call for call in self.made if not call.startswith("GET")]

    def body_of(self, made: str) -> Any:
        """Return the body of the only call with this method and path."""
        (body,) = [call.body for call in self.calls if f"{call.method} {call.path}" == made]
        return body

    def run(self, kind: str, body: Callable[[Any], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
        """Run ``body`` with a destination of this kind, whose account is at this vendor."""

        async def main() -> Any:
            self._ended = asyncio.Semaphore(0)
            self._connections = 0
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            config = registry.KINDS[kind].config(kind=kind, api_key=SECRET, base_url=url, **settings)
            destination = registry.build("there", config, lambda: OPENED_AT)
            try:
                return await body(destination)
            finally:
                await destination.aclose()
                server.close()
                for _ in range(self._connections):
                    await self._ended.acquire()

        return asyncio.run(main())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            while (answer := self._answer_to(await _read(reader)))[0]:
                writer.write(_raw(*answer))
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()
            self._ended.release()

    def _answer_to(self, call: Call) -> tuple[int, Any, dict[str, str]]:
        self.calls.append(call)
        answers = self._answers.get((call.method, call.path))
        if self.failing and call.method != "GET":
            return self.failing, envelope(self.failing, f"refused, {call.headers['authorization']}"), {}
        if answers is None:
            return 404, envelope(404, f"nothing is scripted for {call.method} {call.path}"), {}
        return answers.pop(0) if len(answers) > 1 else answers[0]


def envelope(status: int, message: str) -> dict[str, Any]:
    """Return an error in either vendor's format."""
    return {"status": status, "code": "SCRIPTED", "message": message, "type": "scripted", "errors": []}


async def _read(reader: asyncio.StreamReader) -> Call:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    raw = await reader.readexactly(int(headers.get("content-length", 0)))
    method, target, _ = first.split(" ")
    url = urllib.parse.urlsplit(target)
    return Call(method, url.path, dict(urllib.parse.parse_qsl(url.query)), json.loads(raw or b"null"), headers)


def _raw(status: int, body: Any, headers: dict[str, str]) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Scripted", f"content-length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def operation(
    kind: publications.Kind, fields: dict[str, Any], *, severity: str = "critical", **others: Any
) -> operations.Operation:
    """Make an operation from its kind and the rule's fields. By default, it is the first of a critical incident."""
    content = publications.Content(severities.parse(severity), fields)
    given = {"episode": EPISODE, "destination": "there", "number": 1, "opened_at": OPENED_AT, **others}
    return operations.Operation(kind=kind, content=content, **given)
