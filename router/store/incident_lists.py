"""The lists of what there is, one a shard: to look at every key there is would hold the server up."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from router.store import client, damage, keys, scripts


async def read_names(run: scripts.Scripts, *listed: Callable[[int], str]) -> list[str]:
    """All incident keys of the lists that ``listed`` gives for each shard, in order; what has expired leaves them.

    After the list of the incidents, ``keys.names`` may follow, to remove the names of expired incidents as well.
    """
    calls: list[tuple[list[str], list[Any]]] = [([of(number) for of in listed], []) for number in range(keys.SHARDS)]
    async with client.translate_errors():
        answers = await run.run_all("names", calls)
        return sorted([name async for name in _texts(run, listed[0], answers)])


async def _texts(run: scripts.Scripts, listed: Callable[[int], str], answers: list[Any]) -> AsyncIterator[str]:
    """The members of lists; one that is no text is removed, which the log tells."""
    for number, answer in enumerate(answers):
        for member in answer:
            try:
                yield member.decode()
            except UnicodeDecodeError:
                key = listed(number)
                damage.report(key, f"its member {member!r} is no incident key", "nothing: it is removed")
                await run.remove_member(key, member)
