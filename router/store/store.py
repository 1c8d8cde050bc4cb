"""The store: everything that the router keeps in Redis or Valkey, through one connection pool.

Each repository is an attribute. A process has one store, which ``bootstrap.factories`` creates from the settings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import redis.asyncio

from router.domain import identity
from router.domain.times import Timestamp
from router.store import client, connection_settings, quarantine
from router.store.access import Audit, Sessions, Tokens
from router.store.accounts import Accounts
from router.store.archive import Archive
from router.store.backup import Backup
from router.store.components import Components
from router.store.connection import Connection
from router.store.dataset import DataSet, WatchedDataSet
from router.store.dead_deliveries import DeadDeliveries
from router.store.delivery_dedup import DeliveryIds
from router.store.good_rules import GoodRules
from router.store.health import Health
from router.store.inbox import Inbox, InboxReader
from router.store.incident_snapshot import SnapshotCache
from router.store.incidents import Incidents
from router.store.notifications import Notifications
from router.store.publications import Publications
from router.store.publishing_state import PublishingControls
from router.store.quotas import AccountQuota
from router.store.review_outcomes import ReviewOutcomes
from router.store.schema import Schema
from router.store.silences import Silences
from router.store.slack_requests import SlackRequests
from router.store.storm_queue import StormQueue
from router.store.sync_state import SyncState
from router.store.unreadable_deliveries import UnreadableCounts
from router.store.vendor_ids import VendorIds

_DAY = 24 * 60 * 60 * 1_000_000  # Microseconds.


@dataclass(frozen=True)
class StoreLimits:
    """The limits of what a process keeps.

    ``cached_alerts`` is the approximate number of alerts whose incidents stay decoded in memory. An incident is leased
    for ``lease_seconds``, the events of a subject for ``notification_lease_seconds``. The archive is limited to
    ``archive_retention`` (microseconds) and ``archive_bytes``, the quarantine to ``quarantine_bytes``.
    """

    cached_alerts: int = 0
    lease_seconds: float = 30.0
    notification_lease_seconds: float = 30.0
    archive_retention: int = _DAY
    archive_bytes: int = 256 * 1024 * 1024
    quarantine_bytes: int = quarantine.MAX_BYTES


class Store:
    """All repositories on one connection pool."""

    def __init__(
        self,
        connection: Connection,
        limits: StoreLimits = StoreLimits(),
    ) -> None:
        self.connection = connection
        self.limits = limits
        self.accounts = Accounts(connection)
        self.archive = Archive(connection, retention=limits.archive_retention, max_bytes=limits.archive_bytes)
        self.audit = Audit(connection)
        self.backup = Backup(connection)
        self.components = Components(connection)
        self.data_set = DataSet(connection)
        self.dead_deliveries = DeadDeliveries(connection)
        self.delivery_ids = DeliveryIds(connection)
        self.good_rules = GoodRules(connection)
        self.health = Health(connection)
        self.inbox = Inbox(connection)
        self.incidents = Incidents(connection, cached_alerts=limits.cached_alerts)
        self.notifications = Notifications(connection, lease_seconds=limits.notification_lease_seconds)
        self.publications = Publications(connection, lease_seconds=limits.lease_seconds)
        self.publishing_controls = PublishingControls(connection)
        self.quarantine = quarantine.Quarantine(connection, most_bytes=limits.quarantine_bytes)
        self.review_outcomes = ReviewOutcomes(connection)
        self.schema = Schema(connection)
        self.sessions = Sessions(connection)
        self.silences = Silences(connection)
        self.slack_requests = SlackRequests(connection)
        self.storm_queue = StormQueue(connection)
        self.sync_state = SyncState(connection)
        self.tokens = Tokens(connection)
        self.unreadable_counts = UnreadableCounts(connection)
        self.vendor_ids = VendorIds(connection)

    @classmethod
    def connect(
        cls,
        where: connection_settings.Server | str,
        limits: StoreLimits = StoreLimits(),
    ) -> Self:
        """Return the store on a server. No connection is opened before the first command.

        Raises ``Unavailable`` if the connection settings contradict each other.
        """
        server = connection_settings.Server(where) if isinstance(where, str) else where
        return cls(Connection(client.connect(server), server.durability), limits)

    @property
    def redis(self) -> "redis.asyncio.Redis":
        """Return the client of the server."""
        return self.connection.redis

    def make_inbox_reader(self, consumer: str, *, life: str = "", archives: bool = False) -> InboxReader:
        """Return a worker's reader of the inbox."""
        return InboxReader(self.connection, consumer, life=life, archives=archives)

    def make_quota(self, account: str, per_minute: int) -> AccountQuota:
        """Return the quota of a vendor's account."""
        return AccountQuota(self.connection, account, per_minute)

    def make_snapshot_cache(self, clock: Callable[[], Timestamp]) -> SnapshotCache:
        """Return a cache of a snapshot of all incidents. ``clock`` returns microseconds."""
        return SnapshotCache(self.connection, self.incidents, self.publications, clock)

    def watch_data_set(
        self, process: str, randomness: identity.Randomness, *, reconciles_new: bool = False
    ) -> WatchedDataSet:
        """Return the data set as a process sees it."""
        return WatchedDataSet(self.connection, process, randomness, reconciles_new=reconciles_new)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.redis.aclose()
