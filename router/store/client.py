"""Connections to Redis or Valkey, and the mapping of their errors."""

import asyncio
from types import TracebackType
from typing import Any

import redis.asyncio
from redis import exceptions

from router.store import cluster, connection_settings, errors, sentinel, timed_client

PATIENCE_SECONDS = 5.0  # Time limit of a command, after which the store counts as unavailable.
_PER_SECOND = 1000  # Documents that even a busy server reads or writes per second.


def command_timeout(documents: int) -> float:
    """Return the time limit in seconds of commands on this many documents. One delivery may touch 20,000 incidents."""
    return PATIENCE_SECONDS + documents / _PER_SECOND


def connect(where: connection_settings.Server | str) -> "redis.asyncio.Redis":
    """Create a client for a server or an address. No connection is opened before the first command.

    Responses stay bytes. The library's own timeouts are off: they cost one task per command, and before Python 3.12
    they can swallow a cancellation. ``translate_errors`` limits every command instead. Raises ``Unavailable`` if the
    connection settings contradict each other.
    """
    server = connection_settings.Server(where) if isinstance(where, str) else where
    try:
        return _create_client(server, {**_OPTIONS, **_tls(server)})
    except (ValueError, exceptions.RedisClusterException) as error:
        raise errors.Unavailable(f"the Redis URL is invalid: {error}") from error


_OPTIONS: dict[str, Any] = {
    "decode_responses": False,
    "socket_connect_timeout": PATIENCE_SECONDS,
    "socket_timeout": None,
    "health_check_interval": 0,
    "retry": None,
}


def _create_client(server: connection_settings.Server, options: dict[str, Any]) -> "redis.asyncio.Redis":
    if server.sentinel is not None:
        return sentinel.connect(server, options)
    if server.cluster:
        return cluster.connect(server, options)
    return timed_client.Redis.from_url(server.url, **options)


def _tls(server: connection_settings.Server) -> dict[str, Any]:
    if not server.tls:
        return {}
    # TLS files mean that encryption is expected, so never fall back to a plain connection.
    if not server.url.startswith("rediss://"):
        raise errors.Unavailable("files for TLS are set, but the address of Redis does not begin with rediss://")
    files = {"ssl_ca_certs": server.tls.ca, "ssl_certfile": server.tls.cert, "ssl_keyfile": server.tls.key}
    return {name: str(path) for name, path in files.items() if path}


class translate_errors:  # noqa: N801 - read as a word of the `with` statement that it stands in
    """Limits the time of the commands in an ``async with`` block, and raises their errors as ``errors.Unavailable``."""

    def __init__(self, seconds: float = PATIENCE_SECONDS) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # Leave the timeout first: it turns the cancellation that it caused into `TimeoutError`, and passes on all
            # others.
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise errors.Unavailable(f"Redis did not answer within {self._seconds:g} s") from error
        if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
            raise errors.Unavailable(f"Redis cannot be reached: {error}") from error
        # This exception isn't a `RedisError`.
        if isinstance(error, exceptions.RedisClusterException):
            raise errors.Unavailable(f"the Redis Cluster cannot be used: {error}") from error
        # This is a `ResponseError`, too, so it has to be checked earlier.
        if isinstance(error, exceptions.OutOfMemoryError):
            raise errors.Unavailable("Redis is out of memory", 30) from error
        if isinstance(error, exceptions.ResponseError):
            # For a pipeline, the library's message contains the command and with it a part of the stored data.
            message = str(error).rpartition("of pipeline caused error: ")[2]
            kind = errors.WrongType if message.startswith("WRONGTYPE") else errors.Unavailable
            raise kind(f"Redis refused the command: {message}") from error
