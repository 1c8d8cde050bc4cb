"""Tokens, sessions and the audit log: who may look and act, and who did what."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import redis.asyncio

from router.domain import access
from router.domain.undecodable import Undecodable
from router.store import client, damage, keys, replica_acks

SESSION_SECONDS = 12 * 60 * 60
MOST_ACTIONS = 100_000  # Lines of the audit log; the oldest go beyond it.
MOST_REFUSALS, _REFUSAL_SECONDS = 10, 60 * 60  # Lines of one person, so that nobody writes the log full.
_SIGN_INS, _SIGN_IN_SECONDS = 10, 60

_token = msgspec.msgpack.Decoder(access.Token).decode
_session = msgspec.msgpack.Decoder(access.Session).decode
_action = msgspec.msgpack.Decoder(access.Action).decode


class Tokens:
    """All tokens."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection: Any = connection
        self._confirming = replica_acks.DurableWriter(connection)

    async def save(self, token: access.Token) -> None:
        """Keep a token."""
        async with client.translate_errors():
            await self._confirming.run("HSET", keys.TOKENS, token.id, msgspec.msgpack.encode(token))

    async def find(self, identity: str) -> access.Token | None:
        """The token of this id; None where there is none (any more)."""
        async with client.translate_errors():
            found = await self._connection.hget(keys.TOKENS, identity)
        try:
            return _token(found) if found else None
        except Undecodable as error:
            damage.report(keys.TOKENS, f"the token {identity!r} can't be read: {error}", "revoke it and make a new one")
            return None

    async def read(self) -> list[access.Token]:
        """All of them, the oldest first."""
        async with client.translate_errors():
            found = await self._connection.hgetall(keys.TOKENS)
        return sorted(_readable(found), key=lambda one: (one.created_at, one.id))

    async def has_any(self) -> bool:
        """Whether there is one at all."""
        async with client.translate_errors():
            return bool(await self._connection.hlen(keys.TOKENS))

    async def revoke(self, identity: str) -> bool:
        """Take a token back; False where there is none of this id."""
        async with client.translate_errors():
            return bool(await self._confirming.run("HDEL", keys.TOKENS, identity))


def _readable(found: Mapping[bytes, bytes]) -> Iterator[access.Token]:
    for identity, data in found.items():
        try:
            yield _token(data)
        except Undecodable as error:
            problem = f"the token {identity.decode(errors='replace')!r} can't be read: {error}"
            damage.report(keys.TOKENS, problem, "revoke it and make a new one")


class Sessions:
    """Those who have signed in; kept by the hash of what their cookie says."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection: Any = connection

    async def save(self, secret: str, session: access.Session, seconds: int = SESSION_SECONDS) -> None:
        """Keep a session for as long as it lives."""
        async with client.translate_errors():
            await self._connection.set(_session_key(secret), msgspec.msgpack.encode(session), ex=seconds)

    async def find(self, secret: str) -> access.Session | None:
        """The session of a cookie; None where it is over."""
        async with client.translate_errors():
            found = await self._connection.get(_session_key(secret))
        try:
            return _session(found) if found else None
        except Undecodable:  # Its owner signs in again.
            return None

    async def delete(self, secret: str) -> None:
        """Sign out."""
        async with client.translate_errors():
            await self._connection.delete(_session_key(secret))

    async def count_attempt(self, address: str, most: int = _SIGN_INS) -> bool:
        """Count a try to sign in from an address; False where there were more than ``most`` within a minute."""
        return await _increment(self._connection, keys.sign_ins(address), _SIGN_IN_SECONDS) <= most

    async def save_sign_in(self, state: str, value: bytes, seconds: int) -> None:
        """Remember something of a sign-in that is under way elsewhere."""
        async with client.translate_errors():
            await self._connection.set(keys.sign_in(access.digest(state)), value, ex=seconds)

    async def take_sign_in(self, state: str) -> bytes | None:
        """What was remembered of a sign-in: once, and not again."""
        async with client.translate_errors():
            found: bytes | None = await self._connection.getdel(keys.sign_in(access.digest(state)))
        return found


class Audit:
    """What people and programs did, in order."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection: Any = connection
        self._confirming = replica_acks.DurableWriter(connection)

    async def append(self, action: access.Action) -> None:
        """Add a line."""
        async with client.translate_errors():
            packed = msgspec.msgpack.encode(action)
            await self._confirming.run("XADD", keys.AUDIT, "MAXLEN", "~", MOST_ACTIONS, "*", "a", packed)

    async def append_refusal(self, action: access.Action) -> None:
        """Add a line of something that its person may not do, unless there were many of them within the hour."""
        counted = keys.refusals(access.digest(action.by))
        if await _increment(self._connection, counted, _REFUSAL_SECONDS) <= MOST_REFUSALS:
            await self.append(action)

    async def page(self, before: str, limit: int) -> tuple[list[access.Action], str]:
        """Lines older than a place in the log (empty: the newest), and where the page ends (empty: the end)."""
        async with client.translate_errors():
            found = await self._connection.xrevrange(keys.AUDIT, max=f"({before}" if before else "+", count=limit)
        lines = [line for place, fields in found if (line := _line(place, fields)) is not None]
        return lines, found[-1][0].decode() if len(found) == limit else ""


def _line(place: bytes, fields: Mapping[bytes, bytes]) -> access.Action | None:
    try:
        return _action(fields.get(b"a", b""))
    except Undecodable as error:
        damage.report(keys.AUDIT, f"the entry {place.decode()} can't be read: {error}", "delete the entry with XDEL")
        return None


def _session_key(secret: str) -> str:
    return keys.session(access.digest(secret))


async def _increment(connection: Any, name: str, seconds: int) -> int:
    """Count once more; how often that was within so many seconds of the first time."""
    async with client.translate_errors():
        pipeline = connection.pipeline(transaction=True)
        pipeline.incr(name)
        pipeline.expire(name, seconds, nx=True)
        counted, _ = await pipeline.execute()
    return int(counted)
