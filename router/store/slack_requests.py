"""The interactions in Slack of the last minutes, so that one that is sent again has no second effect.

Slack sends an interaction again if it gets no response in time, and an attacker may repeat a signed request.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from router.domain.undecodable import Undecodable
from router.store import client, keys
from router.store.connection import Connection

LIFE_SECONDS = 15 * 60
"""How long the response is remembered: longer than a signature is accepted."""
_PENDING_MS = 2000
"""How long an interaction without a response counts as pending. Slack repeats one after 3 seconds. The process that got
it first may have died, so the repetition is handled then. Decisions are recorded once, however often they are made."""
_PENDING = b"null"
_encode = msgspec.json.Encoder(order="deterministic").encode


class SlackRequests:
    """The responses to interactions, by their payloads."""

    def __init__(self, connection: Connection) -> None:
        self._redis: Any = connection.redis

    async def begin(self, kind: str, payload: Mapping[str, Any]) -> tuple[bool, Any]:
        """Return whether to handle an interaction, and else the response to it; None if it is being handled now."""
        name = _key(kind, payload)
        async with client.translate_errors():
            # NX lets only one process handle the interaction.
            if await self._redis.set(name, _PENDING, nx=True, px=_PENDING_MS):
                return True, None
            stored = await self._redis.get(name)
        try:
            return False, msgspec.json.decode(stored or _PENDING)
        # A damaged response counts as pending: handling the interaction again could repeat its effect.
        except Undecodable:
            return False, None

    async def finish(self, kind: str, payload: Mapping[str, Any], response: Any) -> None:
        """Store the response to an interaction."""
        async with client.translate_errors():
            await self._redis.set(_key(kind, payload), _encode(response), ex=LIFE_SECONDS)

    async def delete(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Forget an interaction that failed, so that it may be sent again."""
        async with client.translate_errors():
            await self._redis.delete(_key(kind, payload))


def _key(kind: str, payload: Mapping[str, Any]) -> str:
    # The whole payload: it has the time of the click, and the ID by which Slack can be asked to open a form.
    return keys.slack_request(hashlib.blake2b(_encode((kind, payload)), digest_size=16).hexdigest())
