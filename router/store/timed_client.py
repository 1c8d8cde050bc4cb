"""Redis clients that measure the duration of each command, and repeat a refused write if the memory is full."""

from typing import Any

import redis.asyncio
from redis import exceptions
from redis.asyncio import client as library
from redis.asyncio import cluster

from router.store import full_memory
from router.telemetry import instruments, metrics

_PIPELINE = metrics.redis_command_duration_seconds.labels("pipeline")
_WAITS = "XREADGROUP"  # XREADGROUP blocks until a delivery arrives, so its duration says nothing about Redis.
_series: dict[str, instruments.Series] = {}


def _get_series(command: Any) -> instruments.Series:
    """Return the metric series of a command, cached by the command as the caller spells it."""
    series = _series.get(command)
    if series is None:
        name = command.decode() if isinstance(command, bytes) else str(command)
        series = metrics.redis_command_duration_seconds.labels(name.lower())
        _series[command] = series
    return series


class Pipeline(library.Pipeline):
    """A pipeline that measures its round trip."""

    async def execute(self, *args: Any, **options: Any) -> list[Any]:
        """Send the commands and return their responses."""
        began = instruments.clock()
        try:
            return await super().execute(*args, **options)
        finally:
            _PIPELINE.observe_since(began)


class Redis(redis.asyncio.Redis):
    """A client of one server."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and return its response."""
        began = instruments.clock()
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        # Redis refuses a command before it runs, so repeating it can't write twice.
        except exceptions.OutOfMemoryError:
            if (script := full_memory.as_script(args)) is None:
                raise
            return await super().execute_command(*script)  # type: ignore[no-untyped-call]
        finally:
            if args[0] != _WAITS:
                _get_series(args[0]).observe_since(began)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Create a pipeline; see the library."""
        return Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class ClusterPipeline(cluster.ClusterPipeline):
    """A cluster pipeline that measures all its round trips together."""

    async def execute(self, *args: Any, **options: Any) -> list[Any]:
        """Send the commands and return their responses."""
        began = instruments.clock()
        try:
            return await super().execute(*args, **options)
        finally:
            _PIPELINE.observe_since(began)


class RedisCluster(cluster.RedisCluster):
    """A client of a cluster."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and return its response."""
        began = instruments.clock()
        try:
            return await super().execute_command(*args, **options)
        except exceptions.OutOfMemoryError:
            if (script := full_memory.as_script(args)) is None:
                raise
            return await super().execute_command(*script)
        finally:
            if args[0] != _WAITS:
                _get_series(args[0]).observe_since(began)

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> ClusterPipeline:  # noqa: ARG002
        """Create a pipeline; see the library."""
        return ClusterPipeline(self, transaction)  # type: ignore[abstract]
