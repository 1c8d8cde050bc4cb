"""Components of public pages, reference-counted: the status that each open incident gives to each component."""

from collections.abc import Mapping

from router.store import client, keys
from router.store.connection import Connection


class Components:
    """The component statuses of all open incidents on all pages."""

    def __init__(self, connection: Connection) -> None:
        self._scripts = connection.scripts

    async def set_statuses(self, page: str, episode: str, statuses: Mapping[str, str]) -> list[tuple[str, str]]:
        """Replace the component statuses that an episode sets on a page; an empty mapping removes them.

        Return the statuses that all other episodes set, as pairs of component and status. Writing and reading are
        atomic: if two episodes end together, the second one sees no remaining status.
        """
        arguments = [part for pair in statuses.items() for part in pair]
        async with client.translate_errors():
            answer = await self._scripts.run("set_component_statuses", [keys.components(page)], [episode, *arguments])
        words = [word.decode() for word in answer]
        return list(zip(words[::2], words[1::2], strict=True))
