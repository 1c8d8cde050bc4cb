"""The gate before all public pages: whether nothing may be posted now, or nothing without a person's word.

A person freezes and thaws it. The breaker closes by itself where too much would be posted automatically.
"""

from typing import Any, Literal, NamedTuple

import msgspec
import redis.asyncio

from router.store import client, confirming, keys, scripts

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
    """How the gate stands: ``freeze`` lets nothing through, ``breaker`` nothing that no person has approved."""

    freeze: Shut | None = None
    breaker: Shut | None = None


class Limit(NamedTuple):
    """So many in so long (microseconds)."""

    most: int
    within: int


OPEN = State()
_decode = msgspec.msgpack.Decoder(Shut).decode


class Gate:
    """The one gate that all workers heed."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection = connection
        self._confirming = confirming.Confirming(connection)
        self._scripts = scripts.Scripts(connection)

    async def state(self) -> State:
        """How it stands now."""
        async with client.failures():
            answer: Any = self._connection.hmget(keys.GATE, ["freeze", "breaker"])
            found = await answer
        freeze, breaker = (_decode(data) if data else None for data in found)
        return State(freeze, breaker)

    async def shut(self, bolt: Bolt, who: str, at: int, why: str) -> bool:
        """Shut it; False where it is shut already, and stays as it is."""
        async with client.failures():
            return bool(await self._confirming.run("HSETNX", keys.GATE, bolt, _pack(Shut(who, at, why))))

    async def open(self, bolt: Bolt) -> bool:
        """Open it again; False where it was not shut. What the breaker has counted begins anew."""
        async with client.failures():
            opened = bool(await self._confirming.run("HDEL", keys.GATE, bolt))
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
        async with client.failures():
            return bool(await self._scripts.run_confirmed("count", names, arguments))

    async def room(self, page: str, update: str, limit: Limit) -> int:
        """Count an update of a page before it is made; 0, or from when there is room for it (microseconds).

        Counting the same update twice is counting it once.
        """
        async with client.failures():
            return int(await self._scripts.run("room", [keys.updates(page)], [*limit, update]))


def _pack(shut: Shut) -> bytes:
    return msgspec.msgpack.encode(shut)
