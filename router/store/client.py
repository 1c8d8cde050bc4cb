"""Connections to Redis or Valkey, and the one place where their failures are mapped."""

import contextlib
from collections.abc import Iterator

import redis.asyncio
from redis import exceptions

from router.store import errors


def connect(url: str, *, timeout_seconds: float = 5.0) -> "redis.asyncio.Redis":
    """Make a client for ``redis://``, ``rediss://`` or ``unix://``; nothing is sent before the first command.

    Bytes stay bytes. ``timeout_seconds`` bounds connecting and every answer but those of blocking reads.
    """
    return redis.asyncio.Redis.from_url(
        url,
        decode_responses=False,
        socket_connect_timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        health_check_interval=0,
        retry=None,
    )


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turn the client library's failures into ``errors.Unavailable``."""
    try:
        yield
    except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
        raise errors.Unavailable(f"Redis cannot be reached: {error}") from error
    except exceptions.OutOfMemoryError as error:
        raise errors.Unavailable("Redis is out of memory", 30) from error
    except exceptions.ResponseError as error:
        raise errors.Unavailable(f"Redis refused the command: {error}") from error
