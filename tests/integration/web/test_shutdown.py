"""A server that shuts down responds to accepted requests, and closes silent connections."""

import asyncio
import time

import pytest
import uvloop

from router.web import connections, serve

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
PARTS = [0, 10, REQUEST.index(b"\r\n\r\n") + 4, len(REQUEST) - 1]


async def echo(scope, receive, send) -> None:
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": body + message["body"]})


async def send_and_receive(port: int, *parts: bytes) -> bytes:
    """Return the complete response on a new connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
    writer.write_eof()
    found = await reader.read()
    writer.close()
    return found


def run_during_shutdown(body) -> None:
    """Run ``body`` with an accepted connection, the port, and the task of the server."""

    async def main() -> None:
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve.serve(echo, "127.0.0.1", 0, started.set_result))
        port = await started
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(30):
                await body(reader, writer, port, serving)
        finally:
            serving.cancel()
            await asyncio.wait([serving])
            writer.close()

    uvloop.run(main())


async def wait_for_refusal(port: int) -> None:
    """Wait until the server refuses new connections."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except (ConnectionRefusedError, ConnectionResetError):  # The queued connection was reset.
            return
        writer.close()
        await asyncio.sleep(0.005)


def test_stopped_server_finishes_the_current_request():
    async def main() -> None:
        stop = asyncio.Event()
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve.serve(echo, "127.0.0.1", 0, started.set_result, stop=stop))
        port = await started
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST[:-1])
        assert await send_and_receive(port, REQUEST)
        stop.set()
        await wait_for_refusal(port)
        assert not serving.done(), "a request is in flight"
        writer.write(REQUEST[-1:])
        assert (await reader.read()).endswith(b"body")
        writer.close()
        await asyncio.wait_for(serving, 30)

    uvloop.run(main())


@pytest.mark.parametrize("before", PARTS)
def test_request_on_open_connection_is_answered_during_shutdown(before):
    """The server closes the connection afterwards."""

    async def body(reader, writer, port, serving):
        writer.write(REQUEST[:before])
        assert (await send_and_receive(port, REQUEST)).endswith(b"body"), "connections are accepted in order"
        serving.cancel()
        await wait_for_refusal(port)
        writer.write(REQUEST[before:])
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert b"connection: close" in answer
        assert answer.endswith(b"body")

    run_during_shutdown(body)


def test_silent_connection_delays_shutdown_by_one_second():
    async def body(reader, _writer, port, serving):
        assert await send_and_receive(port, REQUEST)
        began = time.monotonic()
        serving.cancel()
        assert await reader.read() == b""
        await asyncio.wait([serving])
        assert connections.LAST_SECONDS - 0.1 < time.monotonic() - began < 5

    run_during_shutdown(body)


def test_idle_connection_does_not_delay_shutdown():
    async def body(reader, writer, port, serving):
        writer.write(REQUEST)
        assert (await reader.readuntil(b"body")).startswith(b"HTTP/1.1 202 ")
        began = time.monotonic()
        serving.cancel()
        assert await reader.read() == b""
        assert time.monotonic() - began < connections.LAST_SECONDS

    run_during_shutdown(body)
