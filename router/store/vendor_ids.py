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
_SHOWN = frozenset({"open", "draft"})


class VendorIds:
    """The vendor's IDs of publications."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis
        self._scripts = connection.scripts

    async def save(
        self, incident: str, known: Iterable[publications.Publication], destinations: Collection[str]
    ) -> None:
        """Index the publications of an incident that are open or a draft at a vendor. Raises ``Unavailable``.

        Only those at ``destinations`` are indexed, the destinations that webhooks can report on.
        """
        listed = [one for one in known if one.vendor_id and one.destination in destinations]
        if not listed:
            return
        # An episode that was reopened has the same ID as the episode before.
        shown = {_key(one.destination, one.vendor_id) for one in listed if one.state in _SHOWN}
        over = {_key(one.destination, one.vendor_id) for one in listed} - shown
        async with client.translate_errors():
            pipeline = self._redis.pipeline(transaction=False)
            for key in shown:
                pipeline.set(key, incident, ex=LIFE_SECONDS)
            if over:
                pipeline.delete(*over)
            await pipeline.execute()

    async def recheck(self, destinations: Sequence[str], vendor_ids: Sequence[str]) -> int:
        """Make the incidents with one of these IDs at one of the destinations due now. Return their number.

        Raises ``Unavailable`` if the store refused the write.
        """
        pairs = [(destination, one) for destination in destinations for one in vendor_ids]
        if not pairs:
            return 0
        async with client.translate_errors():
            found: Any = await self._redis.mget([_key(*pair) for pair in pairs])
        wanted: dict[str, set[str]] = {}
        for (destination, _), incident in zip(pairs, found, strict=True):
            if incident is not None:
                wanted.setdefault(incident.decode(), set()).add(destination)
        calls: list[tuple[list[str], list[Any]]] = []
        for shard, names in keys.by_shard(wanted).items():
            told = [text for name in names for destination in sorted(wanted[name]) for text in (name, destination)]
            calls.append(([keys.timers(shard)], [keys.prefix(shard), *told]))
        if calls:
            async with client.translate_errors():
                await self._scripts.run_all("recheck_publications", calls)
        return len(wanted)


def _key(destination: str, vendor_id: str) -> str:
    # A DevHelm post is identified by its page and its own ID; webhooks carry only its own ID.
    own = vendor_id.rpartition("/")[2]
    return keys.vendor_id(hashlib.blake2b(f"{destination}\0{own}".encode(), digest_size=16).hexdigest())
