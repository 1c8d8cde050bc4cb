"""Writes lines to the audit log for commands that act on Redis without ``services.actions``."""

from typing import NamedTuple

from router.bootstrap import factories
from router.cli import startup
from router.domain import access
from router.store.store import Store


class Operator(NamedTuple):
    """The person who runs the command, and the reason: the options ``--by`` and ``--reason``."""

    by: str
    reason: str


async def record(store: Store, operator: Operator, action: str, subject: str) -> None:
    """Write a line to the audit log."""
    name = operator.by or startup.login_name()
    line = access.AuditEntry(factories.clock(), name, "command line", "", action, subject, reason=operator.reason)
    await store.audit.append(line)
