"""Connections to the current primary, as reported by Redis Sentinel."""

from typing import Any

import redis.asyncio
from redis.asyncio import connection as connections
from redis.asyncio import sentinel as library

from router.store import connection_settings, timed_client

PATIENCE_SECONDS = 1.0  # A sentinel that doesn't respond is skipped well within the time limit of a command.


def connect(server: connection_settings.Server, options: dict[str, Any]) -> "redis.asyncio.Redis":
    """Create a client of the primary.

    Each new connection asks the sentinels for it. Raises ``ValueError`` for a bad URL.

    If a connection finds that its server was demoted, all connections are closed.
    """
    sentinel_client = server.sentinel
    assert sentinel_client is not None  # noqa: S101 - called only where there is one
    parsed: dict[str, Any] = dict(connections.parse_url(server.url))
    kind = parsed.pop("connection_class", connections.Connection)
    if kind is connections.UnixDomainSocketConnection:
        raise ValueError("sentinels know servers by host and port, not by unix://")
    for name in ("host", "port"):
        parsed.pop(name, None)
    encrypted = {"ssl": True} if kind is connections.SSLConnection else {}
    files = {name: value for name, value in (parsed | options).items() if name.startswith("ssl_")}
    sentinel: Any = library.Sentinel(  # type: ignore[no-untyped-call]
        list(sentinel_client.nodes),
        sentinel_kwargs={
            "username": sentinel_client.username or None,
            "password": sentinel_client.password or None,
            "socket_connect_timeout": PATIENCE_SECONDS,
            "socket_timeout": PATIENCE_SECONDS,
            "retry": None,
            **encrypted,
            **files,
        },
    )
    connection: redis.asyncio.Redis = sentinel.master_for(
        sentinel_client.service, timed_client.Redis, connection_pool_class=_Pool, **options, **encrypted, **parsed
    )
    return connection


class _Pool(library.SentinelConnectionPool):
    """Connection pool of the primary. Closing it also closes the connections to the sentinels."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()
