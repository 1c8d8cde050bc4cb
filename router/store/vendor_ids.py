"""Maps a vendor's IDs to incidents, for webhooks that report a change at the vendor.

Only open and draft publications are indexed. The worker updates the index each time it has reconciled an incident.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from router.domain import publications
from router.store import client, keys
from router.store.connection import Connection

LIFE_SECONDS = 30 * 24 * 60 * 60
_INDEXED_STATES = frozenset({"open", "draft"})


class VendorIds:
    """The vendor's IDs of publications."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis
        self._scripts = connection.scripts

    async def save(
        self, incident: str, all_publications: Iterable[publications.Publication], destinations: Collection[str]
    ) -> None:
        """Index the publications of an incident that are open or a draft at a vendor. Raises ``Unavailable``.

        Only those at ``destinations`` are indexed, the destinations that webhooks can report on.
        """
        listed_publications = [
            publication
            for publication in all_publications
            if publication.vendor_id and publication.destination in destinations
        ]
        if not listed_publications:
            return
        # An episode that was reopened has the same ID as the episode before.
        current_keys = {
            _key(publication.destination, publication.vendor_id)
            for publication in listed_publications
            if publication.state in _INDEXED_STATES
        }
        over = {
            _key(publication.destination, publication.vendor_id) for publication in listed_publications
        } - current_keys
        async with client.translate_errors():
            for key in current_keys:
                # MSET can't set an expiry, and an incident has only a few publications.
                await self._redis.set(key, incident, ex=LIFE_SECONDS)
            if over:
                await self._redis.delete(*over)

    async def recheck(self, destinations: Sequence[str], vendor_ids: Sequence[str]) -> int:
        """Make the incidents with one of these IDs at one of the destinations due now. Return their number.

        Raises ``Unavailable`` if the store refused the write.
        """
        pairs = [(destination, vendor_id) for destination in destinations for vendor_id in vendor_ids]
        if not pairs:
            return 0
        async with client.translate_errors():
            answers: Any = await self._redis.mget([_key(*pair) for pair in pairs])
        destinations_of_incidents: dict[str, set[str]] = {}
        for (destination, _), incident in zip(pairs, answers, strict=True):
            if incident is not None:
                destinations_of_incidents.setdefault(incident.decode(), set()).add(destination)
        calls: list[tuple[list[str], list[Any]]] = []
        for shard, names in keys.by_shard(destinations_of_incidents).items():
            arguments = [
                text
                for name in names
                for destination in sorted(destinations_of_incidents[name])
                for text in (name, destination)
            ]
            calls.append(([keys.timers(shard)], [keys.prefix(shard), *arguments]))
        if calls:
            async with client.translate_errors():
                # Replicas needn't acknowledge: if a request is lost, the next poll reads the publication.
                await self._scripts.run_all("recheck_publications", calls)
        return len(destinations_of_incidents)


def _key(destination: str, vendor_id: str) -> str:
    # A DevHelm post is identified by its page and its own ID; webhooks carry only its own ID.
    own_id = vendor_id.rpartition("/")[2]
    return keys.vendor_id(hashlib.blake2b(f"{destination}\0{own_id}".encode(), digest_size=16).hexdigest())
