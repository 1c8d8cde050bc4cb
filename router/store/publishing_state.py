"""The gate before all public pages: whether nothing may be posted now, or nothing without a person's word.

A person freezes and thaws it. The breaker closes by itself where too much would be posted automatically.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec
import redis.asyncio

from router.domain.undecodable import Undecodable
from router.store import client, damage, errors, keys, replica_acks, scripts

Bolt = Literal["freeze", "breaker"]


class Shut(msgspec.Struct, frozen=True, array_like=True):
    """Who or what has shut the gate, when (microseconds), and why."""

    who: str
    at: int
    why: str

    def __str__(self) -> str:
        """The reason in words."""
        return f"{self.why} ({self.who})" if self.why else f"by {self.who}"


class State(NamedTuple):
    """How the gate stands: ``freeze`` lets nothing through, ``breaker`` nothing that no person has approved.

    ``pages`` are the breakers of single pages, by destination.
    """

    freeze: Shut | None = None
    breaker: Shut | None = None
    pages: Mapping[str, Shut] = MappingProxyType({})


class Limit(NamedTuple):
    """So many in so long (microseconds)."""

    most: int
    within: int


OPEN = State()
_PAGE = "breaker/"
_decode = msgspec.msgpack.Decoder(Shut).decode


_LOST = Shut("the router", 0, f"the key {keys.GATE} is damaged")


def _shut(data: bytes) -> Shut:
    """Who has shut it; what can't be read keeps it shut."""
    try:
        return _decode(data)
    except Undecodable as error:
        problem = f"a field can't be read: {error}"
        damage.report(keys.GATE, problem, "thaw or reset it once you know who has shut it, and why")
        return _LOST


class Gate:
    """The one gate that all workers heed."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection = connection
        self._writer = replica_acks.DurableWriter(connection)
        self._scripts = scripts.Scripts(connection)

    async def state(self) -> State:
        """How it stands now."""
        try:
            async with client.translate_errors():
                answer: Any = self._connection.hgetall(keys.GATE)
                found = {name.decode(errors="replace"): _shut(data) for name, data in (await answer).items()}
        except errors.WrongType:
            # Nobody knows whether the pages were frozen, so they are.
            damage.report(keys.GATE, "it is not a hash", "delete it; the public pages are frozen until then")
            return State(freeze=_LOST)
        pages = {name.removeprefix(_PAGE): shut for name, shut in found.items() if name.startswith(_PAGE)}
        return State(found.get("freeze"), found.get("breaker"), pages)

    async def shut(self, bolt: Bolt, who: str, at: int, why: str) -> bool:
        """Shut it; False where it is shut already, and stays as it is."""
        return await self._shut(bolt, Shut(who, at, why))

    async def shut_page(self, page: str, at: int, why: str) -> bool:
        """Close the breaker of one page, by its destination; False if it is closed already, and stays as it is."""
        return await self._shut(_PAGE + page, Shut("breaker", at, why))

    async def _shut(self, field: str, shut: Shut) -> bool:
        async with client.translate_errors():
            return bool(await self._writer.run("HSETNX", keys.GATE, field, _pack(shut)))

    async def open(self, bolt: Bolt) -> bool:
        """Open it again, and the breakers of all pages with it; False where nothing was shut.

        What the breaker has counted begins anew.
        """
        fields: list[str] = [bolt]
        if bolt == "breaker":
            fields += [_PAGE + page for page in (await self.state()).pages]
        async with client.translate_errors():
            opened = bool(await self._writer.run("HDEL", keys.GATE, *fields))
            if bolt == "breaker":
                await self._connection.delete(keys.POSTS, keys.TOUCHED)
        return opened

    async def count(self, post: str, components: list[str], posts: Limit, touched: Limit) -> bool:
        """Count an automatic post before it is made; False where it is one too many: the breaker closes.

        Counting the same post twice is counting it once.
        """
        why = f"more than {posts.most} posts or {touched.most} components at once"
        names = [keys.GATE, keys.POSTS, keys.TOUCHED]
        arguments: list[Any] = [*posts, *touched, _pack(Shut("breaker", 0, why)), post, *components]
        async with client.translate_errors():
            return bool(await self._scripts.run_confirmed("count", names, arguments))

    async def room(self, page: str, update: str, limit: Limit) -> int:
        """Count an update of a page before it is made; 0, or from when there is room for it (microseconds).

        Counting the same update twice is counting it once.
        """
        async with client.translate_errors():
            return int(await self._scripts.run("reserve_update", [keys.updates(page)], [*limit, update]))


def _pack(shut: Shut) -> bytes:
    return msgspec.msgpack.encode(shut)
