"""Indexes of incidents, one per shard. Scanning all keys would block the server."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from router.store import client, damage, keys, scripts


async def read_names(run: scripts.Scripts, *list_keys: Callable[[int], str]) -> list[str]:
    """Return all incident keys of the indexes that ``list_keys`` names for each shard, sorted.

    Expired members are removed.

    ``keys.names`` may follow the index of incidents, to remove the names of expired incidents as well.
    """
    calls: list[tuple[list[str], list[Any]]] = [
        ([list_key(number) for list_key in list_keys], []) for number in range(keys.SHARDS)
    ]
    async with client.translate_errors():
        answers = await run.run_all("list_incidents", calls)
        return sorted([name async for name in _texts(run, list_keys[0], answers)])


async def _texts(run: scripts.Scripts, list_key: Callable[[int], str], answers: list[Any]) -> AsyncIterator[str]:
    """Decode the members of indexes. A member that isn't valid text is logged and removed."""
    for number, answer in enumerate(answers):
        for member in answer:
            try:
                yield member.decode()
            except UnicodeDecodeError:
                key = list_key(number)
                damage.report(key, f"its member {member!r} is not an incident key", "nothing; it is removed")
                await run.remove_member(key, member)
