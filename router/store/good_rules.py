"""The last good rule files: a process that starts with broken rule files uses them instead."""

import asyncio
import zlib
from typing import Any

import msgspec

from router.domain import rule_files
from router.domain.times import Timestamp
from router.domain.undecodable import Undecodable
from router.store import client, errors, keys
from router.store.connection import Connection

MAX_BYTES = 8 * 1024 * 1024  # Maximum size of all files before compression.

_decode = msgspec.msgpack.Decoder(dict[str, bytes]).decode


class TooLarge(Exception):
    """The files are larger than ``MAX_BYTES``."""


class GoodRules:
    """The rule files that any process has loaded successfully last."""

    def __init__(self, connection: Connection) -> None:
        self._redis: Any = connection.redis

    async def version(self) -> str:
        """Return the version of the stored rules; empty if none are stored."""
        async with client.translate_errors():
            stored = await self._redis.hget(keys.GOOD_RULES, "v")
        return stored.decode() if stored else ""

    async def save(self, accepted: rule_files.RuleFiles) -> None:
        """Replace the stored rule files. Raises ``TooLarge`` and ``Unavailable``."""
        if sum(map(len, accepted.files.values())) > MAX_BYTES:
            raise TooLarge
        # Compressing 8 MiB takes 200 ms, for which zlib needs no interpreter lock.
        packed = await asyncio.to_thread(zlib.compress, msgspec.msgpack.encode(dict(accepted.files)))
        fields = {"v": accepted.version, "at": accepted.kept_at, "d": packed}
        async with client.translate_errors():
            await self._redis.hset(keys.GOOD_RULES, mapping=fields)

    async def read(self) -> rule_files.RuleFiles | None:
        """Return the stored rule files, or None. Raises ``UnreadableDocument`` and ``Unavailable``."""
        async with client.translate_errors():
            version, at, packed = await self._redis.hmget(keys.GOOD_RULES, "v", "at", "d")
        if packed is None:
            return None
        try:
            # Never decompress more than the maximum stored size, even if the key is damaged.
            content = zlib.decompressobj().decompress(packed, 2 * MAX_BYTES)
            return rule_files.RuleFiles(version.decode(), _decode(content), Timestamp(int(at)))
        # A missing field is None, which raises AttributeError or TypeError.
        except (zlib.error, ValueError, AttributeError, TypeError, *Undecodable) as error:
            raise errors.UnreadableDocument(f"the rules kept in Redis can't be read: {error}") from error
