"""A WebSocket client with the proxies and certificate authorities of other outbound connections.

The URL of a connection may contain a ticket, so messages and log lines never contain the URL.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Self

from router.outbound import authorities, errors, loopback

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_MAX_BYTES = 1024 * 1024
# Without a limit, a server that keeps the TCP connection open after the closing handshake would delay each close.
_CLOSE_SECONDS = 1.0
# At level debug, the library logs whole messages. They contain URLs that let any reader respond as the app.
_SILENT = logging.Logger("websockets")
_SILENT.addHandler(logging.NullHandler())


class WebSocket:
    """An open connection. It closes if the server doesn't answer a ping in time. Messages are ``str`` or ``bytes``."""

    def __init__(self, connection: "ClientConnection") -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str, *, timeout_seconds: float, ping_seconds: float) -> Self:
        """Connect within ``timeout_seconds``. Raises ``errors.Temporary``.

        The client pings every ``ping_seconds``, and closes the connection if the pong takes longer than that.
        """
        from websockets import exceptions
        from websockets.asyncio.client import connect

        near = loopback.is_loopback(url)
        secure = url.startswith("wss://")
        if not secure and not near:
            raise errors.Temporary("the URL of the WebSocket isn't wss://")
        try:
            connection = await connect(
                url,
                ssl=authorities.tls_context(of_environment=not near) if secure else None,
                # A proxy from the environment applies to other hosts, never to this machine.
                proxy=None if near else True,
                open_timeout=timeout_seconds,
                ping_interval=ping_seconds,
                ping_timeout=ping_seconds,
                close_timeout=_CLOSE_SECONDS,
                max_size=_MAX_BYTES,
                logger=_SILENT,
            )
        except exceptions.InvalidStatus as error:
            raise errors.Temporary(f"the WebSocket was refused: {error.response.status_code}") from None
        except (exceptions.WebSocketException, OSError, TimeoutError, ImportError, ValueError) as error:
            # The text of the error may contain the URL, so report only its type.
            raise errors.Temporary(f"the WebSocket can't be opened: {type(error).__name__}") from None
        return cls(connection)

    async def receive(self, seconds: float) -> str | bytes:
        """Return the next message. Raises ``errors.Temporary`` if none arrives in time, or if the connection closes."""
        from websockets import exceptions

        try:
            return await asyncio.wait_for(self._connection.recv(), seconds)
        except (exceptions.ConnectionClosed, TimeoutError) as error:
            raise errors.Temporary(f"the WebSocket has no message: {type(error).__name__}") from None

    async def messages(self) -> AsyncIterator[str | bytes]:
        """Yield messages until the connection is closed."""
        from websockets import exceptions

        while True:
            try:
                message = await self._connection.recv()
            except exceptions.ConnectionClosed:
                return
            yield message

    async def send(self, text: str) -> None:
        """Send a message. Raises ``errors.Temporary`` if the connection is closed."""
        from websockets import exceptions

        try:
            await self._connection.send(text)
        except exceptions.ConnectionClosed:
            raise errors.Temporary("the WebSocket is closed") from None

    async def close(self) -> None:
        """Close the connection. Wait about one second at most for the server to close it, too."""
        await self._connection.close()
