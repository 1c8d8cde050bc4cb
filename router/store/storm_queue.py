"""What holds incidents back in an alert storm: how many may begin to open in a while, and which wait for their turn.

Asked by the worker before the first publication of an episode is opened; all workers share it, by Redis' clock.
"""

from typing import NamedTuple

import redis.asyncio

from router.domain import severity as severities
from router.store import client, keys, publishing_state, scripts

_RANK = 10_000_000_000_000  # Milliseconds: further apart than any two times are.


class Episode(NamedTuple):
    """One life of an incident: its random id, and the key of the incident."""

    id: str
    incident: str

    @property
    def member(self) -> str:
        """What stands for it in the store."""
        return f"{self.id} {self.incident}"


class StormState(NamedTuple):
    """How it stands: how many wait, since when there is a storm (microseconds, 0: there is none), and who is next.

    ``began`` and ``ended`` are true for the one that asked first after it.
    """

    waiting: int = 0
    since: int = 0
    began: bool = False
    ended: bool = False
    next: tuple[Episode, ...] = ()


class StormQueue:
    """The one count that all workers heed: ``limit`` is how many episodes begin to open in how long."""

    def __init__(self, connection: "redis.asyncio.Redis", limit: publishing_state.Limit) -> None:
        self._connection = connection
        self._scripts = scripts.Scripts(connection)
        self.limit = limit

    async def admit(self, episode: Episode, severity: severities.Severity, since: int) -> bool:
        """Let an episode in, or have it wait: True where it may open. Asking again changes nothing.

        Of those that wait the most severe goes first, and of these who has waited longest ``since`` (microseconds).
        """
        turn = (severities.Severity.CRITICAL - severity) * _RANK + since // 1000
        async with client.translate_errors():
            answer = await self._scripts.run(
                "admit", [keys.ADMITTED, keys.WAITING], [*self.limit, episode.member, turn]
            )
        return bool(answer)

    async def remove(self, episodes: list[Episode]) -> None:
        """Let episodes wait no more: nothing fires there now, or they are over."""
        if episodes:
            async with client.translate_errors():
                await self._connection.zrem(keys.WAITING, *(one.member for one in episodes))

    async def state(self) -> StormState:
        """How it stands now."""
        async with client.translate_errors():
            waiting, since, began, ended, *following = await self._scripts.run(
                "storm", [keys.ADMITTED, keys.WAITING, keys.STORM], [*self.limit]
            )
        return StormState(int(waiting), int(since), bool(began), bool(ended), tuple(map(_episode, following)))


async def read_state(connection: "redis.asyncio.Redis") -> tuple[int, int]:
    """Since when there is a storm (microseconds, 0: there is none), and how many wait; for people: nothing changes."""
    async with client.translate_errors():
        pipeline = connection.pipeline(transaction=False)
        pipeline.hget(keys.STORM, "since")
        pipeline.zcard(keys.WAITING)
        since, waiting = await pipeline.execute()
    return int(since or 0), int(waiting)


def _episode(member: bytes) -> Episode:
    identity, _, incident = member.decode(errors="replace").partition(" ")
    return Episode(identity, incident)
