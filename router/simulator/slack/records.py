"""Records of the simulated workspace: users, messages, modals, triggers, and response URLs."""

from dataclasses import dataclass, field
from typing import Any

CHANNELS = {"C0INCIDENTS": "incidents", "C0APPROVALS": "status-approvals"}
TEAM, DOMAIN, APP, BOT, BOT_USER = "T0ACME", "acme", "A0ROUTER", "B0ROUTER", "U0ROUTER"
# A user in two groups and an empty group are cases that the mapping of groups to roles must handle.
GROUPS = {"S0ONCALL": ("U0ADA", "U0BOB"), "S0ADMINS": ("U0BOB",), "S0EMPTY": ()}


@dataclass(frozen=True)
class Person:
    """One user. ``is_member``: the user is in both channels."""

    id: str
    name: str
    real_name: str
    is_member: bool = True
    is_deleted: bool = False


PEOPLE = {
    one.id: one
    for one in (
        Person("U0ADA", "ada", "Ada Lovelace"),
        Person("U0BOB", "bob", "Bob Kahn"),
        Person("U0EVE", "eve", "Eve Moneypenny"),
        Person("U0OUT", "out", "Otto Outsider", is_member=False),
        Person("U0GONE", "gone", "Gina Gone", is_member=False, is_deleted=True),
    )
}


@dataclass
class Message:
    """One message of a channel. ``edits`` counts its updates, ``earlier`` has the texts and blocks before them.

    A message with a ``user`` is ephemeral: only this user sees it.
    """

    channel: str
    ts: str
    text: str
    blocks: list[Any]
    thread_ts: str = ""
    edits: int = 0
    earlier: list[tuple[str, list[Any]]] = field(default_factory=list)
    user: str = ""

    def replace(self, text: str, blocks: list[Any]) -> None:
        """Replace the content, and keep the old content in ``earlier``."""
        # A message from a snapshot of an earlier version lacks this list.
        vars(self).setdefault("earlier", []).append((self.text, self.blocks))
        self.text, self.blocks = text, blocks
        self.edits += 1


@dataclass
class Modal:
    """A modal that a user has open. ``errors`` are shown at its input blocks, by block ID."""

    id: str
    user: str
    view: dict[str, Any]
    hash: str
    errors: dict[str, str] = field(default_factory=dict)


@dataclass
class Trigger:
    """The right to open one modal. Times are microseconds since the epoch."""

    user: str
    expires_at: int
    is_exchanged: bool = False


@dataclass
class ResponseUrl:
    """The right to respond to one interaction, ``left`` times. ``ts`` is the message that was clicked, if any."""

    channel: str
    user: str
    expires_at: int
    ts: str = ""
    left: int = 5


@dataclass
class State:
    """The state of the workspace. ``failures`` are the errors that users saw because the app did not respond."""

    messages: list[Message] = field(default_factory=list)
    last: int = 0
    ephemerals: list[Message] = field(default_factory=list)
    modals: list[Modal] = field(default_factory=list)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    response_urls: dict[str, ResponseUrl] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)


def channel_of(wanted_name: str) -> str:
    """Look up a channel by its ID or name. Return its ID, or an empty text if it doesn't exist."""
    return next((channel for channel, name in CHANNELS.items() if wanted_name in {channel, name, f"#{name}"}), "")
