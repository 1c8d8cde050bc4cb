"""Determines the roles of Slack's users from the users and user groups in the settings.

An unreadable group grants no role, because an approval must not rely on a membership that may have ended.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

from router.configuration import sections
from router.domain import access
from router.domain.times import Timestamp
from router.notifiers import slack_api
from router.outbound import errors
from router.slack import payloads
from router.telemetry import log

_log = log.get("management")
_GROUP = "S"


class _Members(NamedTuple):
    """Cached members of a user group. ``read_at`` is microseconds since the epoch."""

    users: frozenset[str]
    read_at: Timestamp


class MissingRoleError(Exception):
    """The user lacks the needed role. The message is shown to the user and written to the audit log."""


class Roles:
    """Authorizes the users of one workspace, and caches the members of user groups."""

    def __init__(self, config: sections.SlackApp, api: slack_api.WebApi, clock: Callable[[], Timestamp]) -> None:
        self._config = config
        self._api = api
        self._clock = clock
        self._groups: dict[str, _Members] = {}
        self._users_by_role = {
            access.Role.VIEWER: config.viewers,
            access.Role.RESPONDER: config.responders,
            access.Role.ADMIN: config.admins,
        }

    async def authorize(self, user: payloads.User, needed: access.Role) -> access.Person:
        """Return the user as a person with at least the role ``needed``. Raises ``MissingRoleError``."""
        # In a shared channel, users of other workspaces can click, too.
        if self._config.team and user.team != self._config.team:
            raise MissingRoleError(f"only users of the workspace {self._config.team} may do this")
        direct = max((role for role, names in self._users_by_role.items() if user.id in names), default=None)
        # Listed users need no call, so they can act while Slack's API is down.
        if direct is not None and direct >= needed:
            return self.person(user, direct)
        # Groups of lower roles can't grant the needed one, so they aren't read.
        groups = [
            (role, name) for role, names in self._users_by_role.items() if role >= needed for name in _groups(names)
        ]
        members = await asyncio.gather(*(self._members(name) for _, name in groups))
        both = list(zip(groups, members, strict=True))
        role = max((role for (role, _), users in both if users and user.id in users), default=None)
        if role is not None:
            return self.person(user, role)
        # The user may be a member of the unreadable group, so the message doesn't say that the role is missing.
        if None in members:
            unread = ", ".join(sorted(name for (_, name), users in both if users is None))
            raise MissingRoleError(f"this needs the role {needed.word}, and the user group {unread} can't be read now")
        yours = f"yours is {direct.word}" if direct is not None else "you have none"
        raise MissingRoleError(f"this needs the role {needed.word}, and {yours}")

    @staticmethod
    def person(user: payloads.User, role: access.Role) -> access.Person:
        """Convert the user to the person that services expect."""
        return access.Person(user.label, role, f"slack {user.team}/{user.id}" if user.team else f"slack {user.id}")

    async def _members(self, group: str) -> frozenset[str] | None:
        """Return the members of a user group, cached for ``groups_for``. Return None if Slack doesn't return them."""
        cached, now = self._groups.get(group), self._clock()
        # After the clock was set back, an entry from the future would be valid for too long.
        if cached is not None and 0 <= now - cached.read_at < self._config.groups_for:
            return cached.users
        try:
            answer = await self._api.read("usergroups.users.list", {"usergroup": group})
        except errors.Failure as failure:
            _log.warning("slack_group_unreadable", group=group, reason=failure.message)
            return None
        users = answer.get("users")
        members = frozenset(str(user) for user in users) if isinstance(users, list) else frozenset()
        self._groups[group] = _Members(members, now)
        return members


def _groups(names: tuple[str, ...]) -> Iterator[str]:
    return (name for name in names if name.startswith(_GROUP))
