"""Redis Cluster: the same keys and scripts, spread over several primaries by the hash tags in their names."""

from typing import Any

import redis.asyncio
from redis import backoff, exceptions, retry
from redis.asyncio import cluster as library

from router.store import connection_settings, timed_client

MOST_CONNECTIONS = 4096  # To one server; more than wait for the store at the same time.


def connect(server: connection_settings.Server, options: dict[str, Any]) -> "redis.asyncio.Redis":
    """Make a client of all servers of a cluster, of which the address names one.

    Nothing is tried again by itself: the library would repeat a WAIT whose server was lost at another one, where it
    says nothing of what was written. It answers to the same commands as a client of one server, and passes for one.
    """
    again = retry.Retry(backoff.NoBackoff(), 0)
    options = {**options, "retry": again, "max_connections": MOST_CONNECTIONS}
    made: Any = timed_client.RedisCluster.from_url(server.url, **options)
    client: redis.asyncio.Redis = made
    return client


def cluster_of(connection: "redis.asyncio.Redis") -> library.RedisCluster | None:
    """The cluster that a connection is to; None where it is to one server."""
    passed: object = connection
    return passed if isinstance(passed, library.RedisCluster) else None


async def primaries(connection: "redis.asyncio.Redis") -> list[dict[str, Any]]:
    """What sends a command to each primary in turn, as keyword arguments; once nothing at all for one server."""
    cluster = cluster_of(connection)
    if cluster is None:
        return [{}]
    await cluster.initialize()
    return [{"target_nodes": node} for node in cluster.get_primaries()]


async def follow_redirect(connection: "redis.asyncio.Redis", error: exceptions.MovedError) -> None:
    """Learn where keys are that are not where they were."""
    cluster = cluster_of(connection)
    if cluster is not None:
        await cluster.nodes_manager.move_slot(error)


async def refresh_topology(connection: "redis.asyncio.Redis") -> None:
    """Ask the servers anew who holds what: one of them was lost."""
    cluster = cluster_of(connection)
    if cluster is not None:
        await cluster.nodes_manager.initialize()


async def primary_of(connection: "redis.asyncio.Redis", key: str) -> dict[str, Any]:
    """What sends a command to the primary that holds a key, as keyword arguments; nothing for one server."""
    cluster = cluster_of(connection)
    if cluster is None:
        return {}
    await cluster.initialize()
    return {"target_nodes": cluster.get_node_from_key(key)}
