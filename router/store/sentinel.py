"""Connections to whichever server is the primary now, by the word of Sentinel."""

from typing import Any

import redis.asyncio
from redis.asyncio import connection as connections
from redis.asyncio import sentinel as library

from router.store import connection_settings, timed_client

PATIENCE_SECONDS = 1.0  # A sentinel that does not answer is passed over well within the patience for a command.


def connect(server: connection_settings.Server, options: dict[str, Any]) -> "redis.asyncio.Redis":
    """Make a client of the primary; each new connection asks the sentinels who that is. ``ValueError`` as for a URL.

    A connection that finds its server demoted is dropped, and the others with it.
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
    """The pool of the primary's connections, which takes those to the sentinels along when it is closed."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()
