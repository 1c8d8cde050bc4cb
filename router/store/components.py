"""Components of public pages, counted by reference: which open incident says what of which."""

from collections.abc import Mapping

import redis.asyncio

from router.store import client, keys, scripts


class Components:
    """What all open incidents say of the components of all pages."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._scripts = scripts.Scripts(connection)

    async def set_statuses(self, page: str, episode: str, statuses: Mapping[str, str]) -> list[tuple[str, str]]:
        """Say how an episode affects a page's components, in the place of what it said before; nothing takes it back.

        Returns what all other episodes say: pairs of a component and its status. Both happen at once, so of two that
        end together the later one sees nothing left.
        """
        said = [part for pair in statuses.items() for part in pair]
        async with client.translate_errors():
            answer = await self._scripts.run("share", [keys.components(page)], [episode, *said])
        words = [word.decode() for word in answer]
        return list(zip(words[::2], words[1::2], strict=True))
