"""API tokens, console sessions, and the audit log."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from router.domain import access
from router.domain.undecodable import Undecodable
from router.store import client, damage, keys
from router.store.connection import Connection

SESSION_SECONDS = 12 * 60 * 60
MAX_ACTIONS = 100_000  # Maximum length of the audit log; older entries are trimmed.
# Refusals logged for one person per hour, so that a client can't flood the log.
MAX_REFUSALS, _REFUSAL_SECONDS = 10, 60 * 60
_SIGN_INS, _SIGN_IN_SECONDS = 10, 60

_token = msgspec.msgpack.Decoder(access.Token).decode
_session = msgspec.msgpack.Decoder(access.Session).decode
_action = msgspec.msgpack.Decoder(access.AuditEntry).decode


class Tokens:
    """Stores API tokens."""

    def __init__(self, connection: Connection) -> None:
        self._redis: Any = connection.redis
        self._writer = connection.writer

    async def save(self, token: access.Token) -> None:
        """Store a token."""
        async with client.translate_errors():
            await self._writer.run("HSET", keys.TOKENS, token.id, msgspec.msgpack.encode(token))

    async def find(self, identity: str) -> access.Token | None:
        """Return the token with this ID, or None if it doesn't exist."""
        async with client.translate_errors():
            stored = await self._redis.hget(keys.TOKENS, identity)
        try:
            return _token(stored) if stored else None
        except Undecodable as error:
            damage.report(
                keys.TOKENS, f"the token {identity!r} can't be read: {error}", "revoke it and create a new one"
            )
            return None

    async def read(self) -> list[access.Token]:
        """Return all tokens, oldest first."""
        async with client.translate_errors():
            stored = await self._redis.hgetall(keys.TOKENS)
        return sorted(_decode_tokens(stored), key=lambda token: (token.created_at, token.id))

    async def has_any(self) -> bool:
        """Return whether at least one token exists."""
        async with client.translate_errors():
            return bool(await self._redis.hlen(keys.TOKENS))

    async def revoke(self, identity: str) -> bool:
        """Delete a token. Return False if no token has this ID."""
        async with client.translate_errors():
            return bool(await self._writer.run("HDEL", keys.TOKENS, identity))


def _decode_tokens(stored: Mapping[bytes, bytes]) -> Iterator[access.Token]:
    # A damaged token must not hide the others: the list is where an operator finds the tokens to revoke.
    for identity, data in stored.items():
        try:
            yield _token(data)
        except Undecodable as error:
            problem = f"the token {identity.decode(errors='replace')!r} can't be read: {error}"
            damage.report(keys.TOKENS, problem, "revoke it and create a new one")


class Sessions:
    """Stores console sessions by the hash of their cookie, and the state of pending sign-ins."""

    def __init__(self, connection: Connection) -> None:
        self._redis: Any = connection.redis

    async def save(self, secret: str, session: access.Session, seconds: int = SESSION_SECONDS) -> None:
        """Store a session for ``seconds``."""
        async with client.translate_errors():
            await self._redis.set(_session_key(secret), msgspec.msgpack.encode(session), ex=seconds)

    async def find(self, secret: str) -> access.Session | None:
        """Return the session of a cookie, or None if it has expired or was deleted."""
        async with client.translate_errors():
            stored = await self._redis.get(_session_key(secret))
        try:
            return _session(stored) if stored else None
        except Undecodable:  # The user signs in again.
            return None

    async def delete(self, secret: str) -> None:
        """Delete the session of a cookie."""
        async with client.translate_errors():
            await self._redis.delete(_session_key(secret))

    async def count_attempt(self, address: str, max_attempts: int = _SIGN_INS) -> bool:
        """Count a sign-in attempt from an address. Return False after more than ``max_attempts`` in a minute."""
        return await _increment(self._redis, keys.sign_ins(address), _SIGN_IN_SECONDS) <= max_attempts

    async def save_sign_in(self, state: str, value: bytes, seconds: int) -> None:
        """Store the state of a sign-in that continues at the identity provider."""
        async with client.translate_errors():
            await self._redis.set(keys.sign_in(access.digest(state)), value, ex=seconds)

    async def take_sign_in(self, state: str) -> bytes | None:
        """Return and delete the state of a sign-in, so that it can be used only once."""
        async with client.translate_errors():
            # GETDEL is atomic: if two requests bring the same state, only one of them gets the sign-in.
            sign_in: bytes | None = await self._redis.getdel(keys.sign_in(access.digest(state)))
        return sign_in


class Audit:
    """The audit log: actions of people and programs, in order."""

    def __init__(self, connection: Connection) -> None:
        self._redis: Any = connection.redis
        self._writer = connection.writer

    async def append(self, action: access.AuditEntry) -> None:
        """Append an action."""
        async with client.translate_errors():
            # With `~`, Redis removes whole nodes of the stream, which is cheap. The log may be a little longer than its
            # maximum.
            packed = msgspec.msgpack.encode(action)
            await self._writer.run("XADD", keys.AUDIT, "MAXLEN", "~", MAX_ACTIONS, "*", "a", packed)

    async def append_refusal(self, action: access.AuditEntry) -> None:
        """Append a refused action, unless the same person has had many refusals within the hour."""
        counter = keys.refusals(access.digest(action.by))
        if await _increment(self._redis, counter, _REFUSAL_SECONDS) <= MAX_REFUSALS:
            await self.append(action)

    async def page(self, before: str, limit: int) -> tuple[list[access.AuditEntry], str]:
        """Return entries older than ``before`` (empty: the newest), and the cursor of the next page (empty: none)."""
        async with client.translate_errors():
            rows = await self._redis.xrevrange(keys.AUDIT, max=f"({before}" if before else "+", count=limit)
        # The cursor is the last row, readable or not, so a damaged entry doesn't end the list.
        lines = [line for place, fields in rows if (line := _decode_entry(place, fields)) is not None]
        return lines, rows[-1][0].decode() if len(rows) == limit else ""


def _decode_entry(place: bytes, fields: Mapping[bytes, bytes]) -> access.AuditEntry | None:
    try:
        return _action(fields.get(b"a", b""))
    except Undecodable as error:
        damage.report(keys.AUDIT, f"the entry {place.decode()} can't be read: {error}", "delete the entry with XDEL")
        return None


def _session_key(secret: str) -> str:
    return keys.session(access.digest(secret))


async def _increment(connection: Any, name: str, seconds: int) -> int:
    """Increment a counter that expires after ``seconds``, and return its value."""
    async with client.translate_errors():
        # A crash between the two commands would leave a counter that never expires, so they run in one transaction.
        pipeline = connection.pipeline(transaction=True)
        pipeline.incr(name)
        # Only the first attempt sets the expiry, so that further attempts don't prolong the window.
        pipeline.expire(name, seconds, nx=True)
        counted, _ = await pipeline.execute()
    return int(counted)
