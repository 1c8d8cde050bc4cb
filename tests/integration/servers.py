"""Serves an application over HTTP on loopback, in the event loop of a test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from router.web import serve


@contextlib.asynccontextmanager
async def run_server(application: Any, *options: Any) -> AsyncIterator[tuple[int, asyncio.Task[None]]]:
    """Serve the application on a free port for the duration of the block. Yield the port and the server's task.

    ``options`` are further arguments of ``serve.serve``. A server that can't start raises its error here.
    """
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve.serve(application, "127.0.0.1", 0, started.set_result, *options))
    await asyncio.wait([started, server], return_when=asyncio.FIRST_COMPLETED)
    if server.done():
        await server
    try:
        yield started.result(), server
    finally:
        server.cancel()
        await asyncio.wait([server])
