"""The connection pool that all repositories of a store share, with its scripts and its replica acknowledgements."""

import redis.asyncio

from router.store import cluster, connection_settings, replica_acks, scripts


class Connection:
    """One client of a server or of a cluster.

    ``topology`` knows the servers. ``writer`` waits for the replicas that ``durability`` requires, and ``scripts`` are
    ready to run.
    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        durability: connection_settings.Durability = connection_settings.Durability(),  # noqa: B008 - it is immutable
    ) -> None:
        self.redis = client
        self.topology = cluster.Topology(client)
        self.writer = replica_acks.DurableWriter(client, self.topology, durability)
        self.scripts = scripts.Scripts(client, self.topology, self.writer)
