"""Migration steps from one schema version to the next; ``schema`` runs them."""

from collections.abc import AsyncIterator, Callable

from router.domain import identity
from router.store import alert_owners, codec, errors, incident_lists, incidents, keys
from router.store.connection import Connection

_CHUNK = 1000
_DOCUMENTS_AT_ONCE = 100


async def list_incidents_and_gather_homes(connection: Connection) -> None:
    """Migrate from version 1 to 2: index incidents and publications by shard, and gather alert owners in hashes.

    Version 1 had one key per alert, ``ir:{sN}:home:IDENTITY``, which expires within 30 days.
    """
    for pattern, list_key in (
        ("ir:{s*}:incident:*", keys.incidents),
        ("ir:{s*}:publications:*", keys.published_incidents),
    ):
        async for names in _chunks(connection, pattern):
            await _index_incidents(connection, names, list_key)
    owners = alert_owners.AlertOwners(connection)
    async for names in _chunks(connection, "ir:{s*}:home:*"):
        pipeline = connection.redis.pipeline(transaction=False)
        for name in names:
            pipeline.get(name)
        answers = await pipeline.execute()
        # A claim sets the owner only if the alert has none, so owners that other processes have set since stay.
        alerts = map(keys.incident_key, names)
        claims = {alert: alert_owners.Claim(home.decode()) for alert, home in zip(alerts, answers, strict=True) if home}
        await owners.claim(claims)


async def _index_incidents(connection: Connection, names: list[str], list_key: Callable[[int], str]) -> None:
    """Add the incident keys of documents to the indexes of their shards."""
    pipeline = connection.redis.pipeline(transaction=False)
    for name in names:
        pipeline.pttl(name)
    lives = await pipeline.execute()
    seconds, _ = await connection.redis.time()
    pipeline = connection.redis.pipeline(transaction=False)
    for name, life in zip(names, lives, strict=True):
        # A key may expire between the scan and this step.
        if life != _GONE:
            score = "inf" if life < 0 else seconds * 1000 + life
            key = keys.incident_key(name)
            # Another process may have indexed the incident since, with a newer expiry. NX keeps that.
            pipeline.zadd(list_key(keys.shard(key)), {key: score}, nx=True)
    await pipeline.execute()


async def name_incidents(connection: Connection) -> None:
    """Migrate from version 2 to 3: index incidents by key and reference, so that prefixes can be found."""
    names = await incidents.Incidents(connection).names()
    for first in range(0, len(names), _CHUNK):
        await _index_names(connection, names[first : first + _CHUNK])


async def _index_names(connection: Connection, names: list[str]) -> None:
    pipeline = connection.redis.pipeline(transaction=False)
    for name in names:
        pipeline.hget(keys.incident(name), "d")
    # A damaged document doesn't prevent others from being indexed.
    packed = await pipeline.execute(raise_on_error=False)
    pipeline = connection.redis.pipeline(transaction=False)
    for name, data in zip(names, packed, strict=True):
        pipeline.zadd(keys.names(keys.shard(name)), {f"k:{name}\0{_reference(data)}": 0})
    await pipeline.execute()


def _reference(data: object) -> str:
    """Return the reference of the incident's episode; empty if there is none or the document can't be decoded."""
    try:
        episode = codec.unpack_incident(data).episode if isinstance(data, bytes) else ""
    except errors.UnreadableDocument:
        return ""
    return identity.reference(episode) if episode else ""


async def allow_compression(_: Connection) -> None:
    """Migrate from version 3 to 4: change nothing, since all versions' deliveries can be read.

    Only the version changes, so that workers that can't read compressed deliveries stop.
    """


async def nest_incidents(connection: Connection) -> None:
    """Migrate from version 4 to 5: rewrite incidents whose parts are fields of the incident.

    An incident that changes during the migration is skipped. So are publications, because only the holder of a lease
    may write them. Their next change rewrites them, and until then they can be read.
    """
    store = incidents.Incidents(connection)
    names = await incident_lists.read_names(connection.scripts, keys.incidents, keys.names)
    for first in range(0, len(names), _DOCUMENTS_AT_ONCE):
        # A damaged document is reported and left as it is.
        stored = await store.read(names[first : first + _DOCUMENTS_AT_ONCE], {})
        present = [document for document in stored.values() if document.version]
        # Nothing changes for the vendors, so the rewritten incidents aren't made due.
        await store.commit([incidents.Change(document.incident, document.version, wake=False) for document in present])


_GONE = -2  # PTTL returns this for a key that doesn't exist.


async def _chunks(connection: Connection, pattern: str) -> AsyncIterator[list[str]]:
    """Yield the names of all keys that match a pattern in batches, with possible duplicates."""
    names: list[str] = []
    async for name in connection.redis.scan_iter(pattern, count=_CHUNK):
        names.append(name.decode())
        if len(names) >= _CHUNK:
            yield names
            names = []
    if names:
        yield names
