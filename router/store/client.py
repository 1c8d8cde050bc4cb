"""Connections to Redis or Valkey, and the one place where their failures are mapped."""

import asyncio
from types import TracebackType
from typing import Any

import redis.asyncio
from redis import exceptions

from router.store import cluster, connection_settings, errors, replica_acks, sentinel, timed_client

PATIENCE_SECONDS = 5.0  # How long a command may take before the store counts as out of reach.
_PER_SECOND = 1000  # Documents that a busy server reads or writes in a second, in any case.


def command_timeout(documents: int) -> float:
    """How many seconds commands about so many documents may take: one delivery may hold 20,000 incidents."""
    return PATIENCE_SECONDS + documents / _PER_SECOND


def connect(where: connection_settings.Server | str) -> "redis.asyncio.Redis":
    """Make a client for a server, or for its address alone; nothing is sent before the first command.

    Bytes stay bytes. The library's own time-outs are off: they cost a task a command, and before Python 3.12 they
    can swallow a cancellation. ``failures`` bounds every command instead. ``Unavailable`` where what is said of the
    server does not fit together.
    """
    server = connection_settings.Server(where) if isinstance(where, str) else where
    try:
        connection = _made(server, {**_OPTIONS, **_tls(server)})
    except (ValueError, exceptions.RedisClusterException) as error:
        raise errors.Unavailable(f"the address of Redis cannot be used: {error}") from error
    replica_acks.require(connection, server.durability)
    return connection


_OPTIONS: dict[str, Any] = {
    "decode_responses": False,
    "socket_connect_timeout": PATIENCE_SECONDS,
    "socket_timeout": None,
    "health_check_interval": 0,
    "retry": None,
}


def _made(server: connection_settings.Server, options: dict[str, Any]) -> "redis.asyncio.Redis":
    if server.sentinel is not None:
        return sentinel.connect(server, options)
    if server.cluster:
        return cluster.connect(server, options)
    return timed_client.Redis.from_url(server.url, **options)


def _tls(server: connection_settings.Server) -> dict[str, Any]:
    if not server.tls:
        return {}
    if not server.url.startswith("rediss://"):
        raise errors.Unavailable("files for TLS are set, but the address of Redis does not begin with rediss://")
    files = {"ssl_ca_certs": server.tls.ca, "ssl_certfile": server.tls.cert, "ssl_keyfile": server.tls.key}
    return {name: str(path) for name, path in files.items() if path}


class translate_errors:  # noqa: N801 - read as a word of the `with` statement that it stands in
    """Bounds the commands of an ``async with`` block in time, and turns failures into ``errors.Unavailable``."""

    def __init__(self, seconds: float = PATIENCE_SECONDS) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise errors.Unavailable(f"Redis did not answer within {self._seconds:g} s") from error
        if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
            raise errors.Unavailable(f"Redis cannot be reached: {error}") from error
        if isinstance(error, exceptions.RedisClusterException):
            raise errors.Unavailable(f"the Redis Cluster cannot be used: {error}") from error
        if isinstance(error, exceptions.OutOfMemoryError):
            raise errors.Unavailable("Redis is out of memory", 30) from error
        if isinstance(error, exceptions.ResponseError):
            # Of a pipeline the library tells the command as well, and with it a piece of what was to be kept.
            said = str(error).rpartition("of pipeline caused error: ")[2]
            kind = errors.WrongType if said.startswith("WRONGTYPE") else errors.Unavailable
            raise kind(f"Redis refused the command: {said}") from error
