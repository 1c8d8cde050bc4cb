"""The lists of what there is, one a shard: to look at every key there is would hold the server up."""

from collections.abc import Callable
from typing import Any

from router.store import client, keys, scripts


async def names(run: scripts.Scripts, *listed: Callable[[int], str]) -> list[str]:
    """All incident keys of the lists that ``listed`` gives for each shard, in order; what has expired leaves them.

    After the list of the incidents, ``keys.names`` may follow, to remove the names of expired incidents as well.
    """
    calls: list[tuple[list[str], list[Any]]] = [([of(number) for of in listed], []) for number in range(keys.SHARDS)]
    async with client.failures():
        answers = await run.run_all("names", calls)
    return sorted(name.decode() for answer in answers for name in answer)
