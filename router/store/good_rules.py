"""The rule files that a process accepted last: a process that starts with broken ones uses them."""

import zlib
from typing import Any

import msgspec
import redis.asyncio

from router.domain import rule_files
from router.domain.undecodable import Undecodable
from router.store import client, errors, keys

MOST_BYTES = 8 * 1024 * 1024  # Of all files, before they are compressed.

_decode = msgspec.msgpack.Decoder(dict[str, bytes]).decode


class TooLarge(Exception):
    """The files take more than ``MOST_BYTES``."""


class GoodRules:
    """The rule files that were accepted last, of any process."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection: Any = connection

    async def version(self) -> str:
        """Return the version of the rules that are kept; empty if none are."""
        async with client.translate_errors():
            held = await self._connection.hget(keys.GOOD_RULES, "v")
        return held.decode() if held else ""

    async def save(self, accepted: rule_files.RuleFiles) -> None:
        """Keep rule files in the place of those before; ``TooLarge``, ``Unavailable``."""
        if sum(map(len, accepted.files.values())) > MOST_BYTES:
            raise TooLarge
        packed = zlib.compress(msgspec.msgpack.encode(dict(accepted.files)))
        fields = {"v": accepted.version, "at": accepted.kept_at, "d": packed}
        async with client.translate_errors():
            await self._connection.hset(keys.GOOD_RULES, mapping=fields)

    async def read(self) -> rule_files.RuleFiles | None:
        """Return the rule files that are kept, None if there are none; ``Unreadable``, ``Unavailable``."""
        async with client.translate_errors():
            version, at, packed = await self._connection.hmget(keys.GOOD_RULES, "v", "at", "d")
        if packed is None:
            return None
        try:
            # Never more than were kept, whatever stands there.
            content = zlib.decompressobj().decompress(packed, 2 * MOST_BYTES)
            return rule_files.RuleFiles(version.decode(), _decode(content), int(at))
        except (zlib.error, ValueError, AttributeError, TypeError, *Undecodable) as error:
            raise errors.UnreadableDocument(f"the rules kept in Redis can't be read: {error}") from error
