"""Redis Cluster: the same keys and scripts, distributed over several primaries by the hash tags in the key names."""

from typing import Any

import redis.asyncio
from redis import backoff, exceptions, retry
from redis.asyncio import cluster as library

from router.store import connection_settings, timed_client

MOST_CONNECTIONS = 4096  # Connections per server; more than the callers that wait for the store at the same time.


def connect(server: connection_settings.Server, options: dict[str, Any]) -> "redis.asyncio.Redis":
    """Create a client of a cluster, given the address of one of its servers.

    The client doesn't retry. The library would repeat a WAIT whose server was lost on another server, where it says
    nothing about the write. The client has the interface of a client of one server and is used as one.
    """
    again = retry.Retry(backoff.NoBackoff(), 0)
    options = {**options, "retry": again, "max_connections": MOST_CONNECTIONS}
    made: Any = timed_client.RedisCluster.from_url(server.url, **options)
    client: redis.asyncio.Redis = made
    return client


def cluster_of(connection: "redis.asyncio.Redis") -> library.RedisCluster | None:
    """Return the cluster of a connection, or None if it is a connection to one server."""
    passed: object = connection
    return passed if isinstance(passed, library.RedisCluster) else None


async def primaries(connection: "redis.asyncio.Redis") -> list[dict[str, Any]]:
    """Yield the keyword arguments that direct a command to each primary; once an empty mapping for a single server."""
    cluster = cluster_of(connection)
    if cluster is None:
        return [{}]
    await cluster.initialize()
    return [{"target_nodes": node} for node in cluster.get_primaries()]


async def follow_redirect(connection: "redis.asyncio.Redis", error: exceptions.MovedError) -> None:
    """Update the slot map after a MOVED or ASK error."""
    cluster = cluster_of(connection)
    if cluster is not None:
        await cluster.nodes_manager.move_slot(error)


async def refresh_topology(connection: "redis.asyncio.Redis") -> None:
    """Reload the topology after a server was lost."""
    cluster = cluster_of(connection)
    if cluster is not None:
        await cluster.nodes_manager.initialize()


async def primary_of(connection: "redis.asyncio.Redis", key: str) -> dict[str, Any]:
    """Return the keyword arguments that direct a command to the primary of a key; empty for a single server."""
    cluster = cluster_of(connection)
    if cluster is None:
        return {}
    await cluster.initialize()
    return {"target_nodes": cluster.get_node_from_key(key)}
