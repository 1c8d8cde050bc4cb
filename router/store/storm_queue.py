"""The alert storm queue: limits how many incidents open per window; the rest wait.

The worker asks before it opens the first publication of an episode. All workers share the queue, by Redis' clock.
"""

from typing import NamedTuple

from router.domain import severities
from router.domain.times import Timestamp
from router.store import client, keys, publishing_state
from router.store.connection import Connection

_RANK = 10_000_000_000_000  # Milliseconds; larger than the difference of any two times.


class QueuedEpisode(NamedTuple):
    """An episode of an incident: its random ID and the incident key."""

    id: str
    incident: str

    @property
    def member(self) -> str:
        """Return the member that represents the episode in the store."""
        return f"{self.id} {self.incident}"


class StormState(NamedTuple):
    """The state of the queue.

    ``waiting`` is how many episodes wait, ``since`` is when the storm began (microseconds, 0: none), and ``next`` are
    the episodes that can open.

    ``began`` and ``ended`` are set only for the first caller after the storm began or ended.
    """

    waiting: int = 0
    since: Timestamp = Timestamp(0)
    began: bool = False
    ended: bool = False
    next: tuple[QueuedEpisode, ...] = ()


class StormQueue:
    """The queue of all workers. A ``limit`` is how many episodes may open per window."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis
        self._scripts = connection.scripts

    async def admit(
        self, episode: QueuedEpisode, severity: severities.Severity, since: Timestamp, limit: publishing_state.Limit
    ) -> bool:
        """Admit an episode or queue it. Return whether it may open. Repeated calls change nothing.

        The most severe episode goes first; of equal ones, the one that has waited longest since ``since``
        (microseconds).
        """
        # A score is a double, which is exact up to 2**53. Milliseconds keep the rank far below that.
        turn = (severities.Severity.CRITICAL - severity) * _RANK + since // 1000
        async with client.translate_errors():
            answer = await self._scripts.run(
                "admit_episode", [keys.ADMITTED, keys.WAITING], [*limit, episode.member, turn]
            )
        return bool(answer)

    async def remove(self, episodes: list[QueuedEpisode]) -> None:
        """Remove episodes that no longer fire or that have ended."""
        if episodes:
            async with client.translate_errors():
                await self._redis.zrem(keys.WAITING, *(episode.member for episode in episodes))

    async def state(self, limit: publishing_state.Limit) -> StormState:
        """Return the state of the queue, and end the storm if its time has come."""
        async with client.translate_errors():
            waiting, since, began, ended, *following = await self._scripts.run(
                "storm_state", [keys.ADMITTED, keys.WAITING, keys.STORM], [*limit]
            )
        return StormState(
            int(waiting), Timestamp(int(since)), bool(began), bool(ended), tuple(map(_episode, following))
        )

    async def read_state(self) -> tuple[Timestamp, int]:
        """Return since when there is a storm (microseconds, 0: none) and how many episodes wait. Read-only."""
        async with client.translate_errors():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hget(keys.STORM, "since")
            pipeline.zcard(keys.WAITING)
            since, waiting = await pipeline.execute()
        return Timestamp(int(since or 0)), int(waiting)


def _episode(member: bytes) -> QueuedEpisode:
    identity, _, incident = member.decode(errors="replace").partition(" ")
    return QueuedEpisode(identity, incident)
