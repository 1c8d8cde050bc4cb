"""Writes lines to the audit log for commands that act on Redis without ``services.actions``."""

from typing import NamedTuple

import redis.asyncio

from router.assembly import parts
from router.cli import starting
from router.domain import access
from router.store import access as access_store


class Operator(NamedTuple):
    """The person who runs the command, and the reason: the options ``--by`` and ``--reason``."""

    by: str
    reason: str


async def record(connection: "redis.asyncio.Redis", operator: Operator, what: str, subject: str) -> None:
    """Write a line to the audit log."""
    name = operator.by or starting.login_name()
    line = access.Action(parts.clock(), name, "command line", "", what, subject, reason=operator.reason)
    await access_store.Audit(connection).append(line)
