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
    asked = server.sentinel
    assert asked is not None  # noqa: S101 - called only where there is one
    known: dict[str, Any] = dict(connections.parse_url(server.url))
    kind = known.pop("connection_class", connections.Connection)
    if kind is connections.UnixDomainSocketConnection:
        raise ValueError("sentinels know servers by host and port, not by unix://")
    for name in ("host", "port"):
        known.pop(name, None)
    encrypted = {"ssl": True} if kind is connections.SSLConnection else {}
    files = {name: value for name, value in (known | options).items() if name.startswith("ssl_")}
    sentinel: Any = library.Sentinel(  # type: ignore[no-untyped-call]
        list(asked.nodes),
        sentinel_kwargs={
            "username": asked.username or None,
            "password": asked.password or None,
            "socket_connect_timeout": PATIENCE_SECONDS,
            "socket_timeout": PATIENCE_SECONDS,
            "retry": None,
            **encrypted,
            **files,
        },
    )
    made: redis.asyncio.Redis = sentinel.master_for(
        asked.service, timed_client.Redis, connection_pool_class=_Pool, **options, **encrypted, **known
    )
    return made


class _Pool(library.SentinelConnectionPool):
    """Connection pool of the primary. Closing it also closes the connections to the sentinels."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()
