"""Redis Cluster: the same keys and scripts, distributed over several primaries by the hash tags in the key names."""

from typing import Any

import redis.asyncio
from redis import backoff, exceptions, retry
from redis.asyncio import cluster as library

from router.store import connection_settings, timed_client

MAX_CONNECTIONS = 4096  # Connections per server; more than the callers that wait for the store at the same time.


def connect(server: connection_settings.Server, options: dict[str, Any]) -> "redis.asyncio.Redis":
    """Create a client of a cluster, given the address of one of its servers.

    The client doesn't retry. The library would repeat a WAIT whose server was lost on another server, where it says
    nothing about the write. The client has the interface of a client of one server and is used as one.
    """
    retry_policy = retry.Retry(backoff.NoBackoff(), 0)
    options = {**options, "retry": retry_policy, "max_connections": MAX_CONNECTIONS}
    cluster: Any = timed_client.RedisCluster.from_url(server.url, **options)
    client: redis.asyncio.Redis = cluster
    return client


class Topology:
    """The servers behind a client. A client of one server has one primary and nothing to follow."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        # `connect` types the client of a cluster as one of a single server. As an object, its real class can be
        # compared.
        passed: object = client
        self._cluster = passed if isinstance(passed, library.RedisCluster) else None

    @property
    def is_cluster(self) -> bool:
        """Return whether the client is one of a cluster."""
        return self._cluster is not None

    async def primaries(self) -> list[dict[str, Any]]:
        """Return the keyword arguments that direct a command to each primary; one empty mapping for a single server."""
        if self._cluster is None:
            return [{}]
        # A client that hasn't sent a command yet doesn't know the cluster's servers.
        await self._cluster.initialize()
        return [{"target_nodes": node} for node in self._cluster.get_primaries()]

    async def primary_of(self, key: str) -> dict[str, Any]:
        """Return the keyword arguments that direct a command to the primary of a key; empty for a single server."""
        if self._cluster is None:
            return {}
        await self._cluster.initialize()
        return {"target_nodes": self._cluster.get_node_from_key(key)}

    async def follow_redirect(self, error: exceptions.MovedError) -> None:
        """Update the slot map after a MOVED or ASK error."""
        if self._cluster is not None:
            await self._cluster.nodes_manager.move_slot(error)

    async def refresh(self) -> None:
        """Reload the topology after a server was lost."""
        if self._cluster is not None:
            await self._cluster.nodes_manager.initialize()
