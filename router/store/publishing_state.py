"""The publishing freeze and the publishing guard of all public pages, which every worker obeys.

An operator freezes and unfreezes publishing: while frozen, nothing is posted. The guard trips after too many automatic
posts, or if a source contradicts itself: until it is reset, every post needs an approval.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec

from router.domain.times import Duration, Timestamp
from router.domain.undecodable import Undecodable
from router.store import client, damage, errors, keys
from router.store.connection import Connection

FreezeState = Literal["active", "frozen"]
GuardState = Literal["ok", "tripped"]


class Stop(msgspec.Struct, frozen=True, array_like=True):
    """Who or what froze publishing or tripped the guard, when (microseconds), and why."""

    who: str
    at: Timestamp
    why: str

    def __str__(self) -> str:
        """The reason in words."""
        return f"{self.why} ({self.who})" if self.why else f"by {self.who}"


class PublishingState(NamedTuple):
    """Why publishing is frozen, and why the guard has tripped; None if it is not.

    ``tripped_pages`` are single pages at which the guard has tripped, by destination. ``unfrozen`` and ``guard_reset``
    say who unfroze publishing last, and who reset the guard last.
    """

    frozen: Stop | None = None
    tripped: Stop | None = None
    tripped_pages: Mapping[str, Stop] = MappingProxyType({})
    unfrozen: Stop | None = None
    guard_reset: Stop | None = None

    @property
    def freeze(self) -> FreezeState:
        """The state of the publishing freeze."""
        return "active" if self.frozen is None else "frozen"

    @property
    def guard(self) -> GuardState:
        """The state of the publishing guard; ``tripped`` also if it has tripped at a single page."""
        return "tripped" if self.tripped is not None or self.tripped_pages else "ok"


class Limit(NamedTuple):
    """At most ``max`` within each window of ``window`` microseconds."""

    max: int
    window: Duration


ACTIVE = PublishingState()
_FREEZE = "freeze"
_GUARD = "breaker"  # Stored data of earlier versions has this field, so it keeps its name.
_PAGE = f"{_GUARD}/"
_ENDED = "ended:"
_decode = msgspec.msgpack.Decoder(Stop).decode
_DAMAGED = Stop("the router", Timestamp(0), f"the key {keys.GATE} is damaged")


def _unpack(data: bytes) -> Stop:
    """Decode a freeze or a tripped guard. If it can't be decoded, it stays active."""
    try:
        return _decode(data)
    except Undecodable as error:
        problem = f"a field can't be read: {error}"
        damage.report(keys.GATE, problem, "unfreeze or reset it once you know who stopped publishing, and why")
        # Whether an operator stopped publishing is known; only the reason is lost. So publishing stays stopped.
        return _DAMAGED


class PublishingControls:
    """Reads and changes the freeze and the guard."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis
        self._writer = connection.writer
        self._scripts = connection.scripts

    async def read(self) -> PublishingState:
        """Return the state now."""
        try:
            async with client.translate_errors():
                answer: Any = self._redis.hgetall(keys.GATE)
                stops = {name.decode(errors="replace"): _unpack(data) for name, data in (await answer).items()}
        except errors.WrongType:
            # Whether publishing was frozen is unknown, so it is.
            damage.report(keys.GATE, "it is not a hash", "delete it; public pages are frozen until then")
            return PublishingState(frozen=_DAMAGED)
        pages = {name.removeprefix(_PAGE): stop for name, stop in stops.items() if name.startswith(_PAGE)}
        ended = stops.get(_ENDED + _FREEZE), stops.get(_ENDED + _GUARD)
        return PublishingState(stops.get(_FREEZE), stops.get(_GUARD), pages, *ended)

    async def freeze(self, person: str, at: Timestamp, why: str) -> bool:
        """Freeze publishing; False if it is frozen already, and stays so."""
        return await self._stop(_FREEZE, Stop(person, at, why))

    async def unfreeze(self, person: str = "", at: Timestamp = Timestamp(0), why: str = "") -> bool:
        """Unfreeze publishing, and record who did it; False if it was active."""
        return await self._resume(_FREEZE, Stop(person, at, why))

    async def trip(self, at: Timestamp, why: str) -> bool:
        """Trip the guard of all pages; False if it has tripped already."""
        return await self._stop(_GUARD, Stop("guard", at, why))

    async def trip_page(self, page: str, at: Timestamp, why: str) -> bool:
        """Trip the guard at one page, by its destination; False if it has tripped there already."""
        return await self._stop(_PAGE + page, Stop("guard", at, why))

    async def reset(self, person: str = "", at: Timestamp = Timestamp(0), why: str = "") -> bool:
        """Reset the guard at all pages, record who did it, and count from zero; False if it had not tripped."""
        return await self._resume(_GUARD, Stop(person, at, why))

    async def _stop(self, field: str, stop: Stop) -> bool:
        async with client.translate_errors():
            # HSETNX keeps the first stop, with its actor and reason.
            return bool(await self._writer.run("HSETNX", keys.GATE, field, _pack(stop)))

    async def _resume(self, field: str, by: Stop) -> bool:
        names = [keys.GATE, keys.POSTS, keys.TOUCHED]
        async with client.translate_errors():
            return bool(await self._scripts.run_confirmed("resume_publishing", names, [field, _GUARD, _pack(by)]))

    async def count_auto_post(self, post: str, components: list[str], posts: Limit, touched: Limit) -> bool:
        """Count an automatic post before it is made; False if the guard has tripped, or trips by this post.

        Counting the same post twice is counting it once.
        """
        why = f"more than {posts.max} posts or {touched.max} components"
        names = [keys.GATE, keys.POSTS, keys.TOUCHED]
        # The script can't encode the time of the trip, so it stores this value. A time of 0 means unknown.
        arguments: list[Any] = [*posts, *touched, _pack(Stop("guard", Timestamp(0), why)), post, _GUARD, *components]
        async with client.translate_errors():
            return bool(await self._scripts.run_confirmed("count_auto_post", names, arguments))

    async def reserve_update(self, page: str, update: str, limit: Limit) -> int:
        """Count an update of a page before it is made; 0, or the time from which the page takes it (microseconds).

        Counting the same update twice is counting it once.
        """
        async with client.translate_errors():
            return int(await self._scripts.run("reserve_update", [keys.updates(page)], [*limit, update]))


def _pack(stop: Stop) -> bytes:
    return msgspec.msgpack.encode(stop)
