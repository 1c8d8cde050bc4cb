"""Parses the payloads of clicks, submitted forms, and slash commands.

Slack may add members at any time, so the parser ignores unknown members.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from router.domain import visible

_MAX_NAME_LENGTH = 80


class MalformedError(Exception):
    """The payload doesn't match Slack's documentation."""


class User(NamedTuple):
    """A user of a workspace. ``id`` is stable. ``name`` is for display only, because users can change it."""

    id: str
    name: str
    team: str = ""

    @property
    def label(self) -> str:
        """Return the user's label in the timeline and the audit log: ID and cleaned name."""
        return f"slack:{self.id} ({self.name})" if self.name else f"slack:{self.id}"


class Click(NamedTuple):
    """A click on a button. ``trigger`` allows the app to open a form within 3 seconds.

    ``response_url`` accepts up to 5 messages within 30 minutes. ``is_ephemeral`` is true if only the user sees the
    message.
    """

    user: User
    action: str
    value: str
    trigger: str
    response_url: str
    is_ephemeral: bool


class Submission(NamedTuple):
    """A submitted form: its kind, the app's metadata in it, and the text of each field by block ID."""

    user: User
    callback: str
    metadata: str
    values: Mapping[str, str]


class Command(NamedTuple):
    """A slash command. ``text`` is the part after its name."""

    user: User
    name: str
    text: str
    response_url: str


class _Team(msgspec.Struct):
    id: str = ""


class _User(msgspec.Struct):
    id: str
    username: str = ""
    name: str = ""


class _Action(msgspec.Struct):
    action_id: str
    value: str | None = None  # Absent for a button that only opens a URL.


class _Container(msgspec.Struct):
    is_ephemeral: bool = False


class _Value(msgspec.Struct):
    value: str | None = None


class _State(msgspec.Struct):
    values: dict[str, dict[str, _Value]] = {}


class _View(msgspec.Struct):
    callback_id: str = ""
    private_metadata: str = ""
    state: _State = msgspec.field(default_factory=_State)


class _BlockActions(msgspec.Struct):
    user: _User
    actions: list[_Action]
    team: _Team | None = None
    trigger_id: str = ""
    response_url: str = ""
    container: _Container = msgspec.field(default_factory=_Container)


class _ViewSubmission(msgspec.Struct):
    user: _User
    view: _View
    team: _Team | None = None


class _SlashCommand(msgspec.Struct):
    command: str
    user_id: str
    user_name: str = ""
    team_id: str = ""
    text: str = ""
    response_url: str = ""


def read_interaction(payload: Mapping[str, Any]) -> Click | Submission | None:
    """Parse a click or a submission. Return None for any other interaction. Raises ``MalformedError``."""
    kind = payload.get("type")
    if kind == "block_actions":
        read = _read(payload, _BlockActions)
        if not read.actions:
            raise MalformedError("block_actions without actions")
        action = read.actions[0]  # A click on a button is always a single action.
        user = _user(read.user, read.team)
        is_ephemeral = read.container.is_ephemeral
        return Click(user, action.action_id, action.value or "", read.trigger_id, read.response_url, is_ephemeral)
    if kind == "view_submission":
        submitted = _read(payload, _ViewSubmission)
        view = submitted.view
        values = {
            # Each of the form's blocks has one input.
            block: next((field.value or "" for field in inputs.values()), "")
            for block, inputs in view.state.values.items()
        }
        return Submission(_user(submitted.user, submitted.team), view.callback_id, view.private_metadata, values)
    return None


def read_command(payload: Mapping[str, Any]) -> Command:
    """Parse a slash command. Raises ``MalformedError``."""
    read = _read(payload, _SlashCommand)
    user = User(read.user_id, _name(read.user_name), read.team_id)
    return Command(user, read.command, read.text.strip(), read.response_url)


def _read(payload: Mapping[str, Any], shape: Any) -> Any:
    try:
        return msgspec.convert(payload, shape)
    except msgspec.ValidationError as error:
        raise MalformedError(str(error)) from error


def _user(user: _User, team: _Team | None) -> User:
    return User(user.id, _name(user.username or user.name), team.id if team is not None else "")


def _name(text: str) -> str:
    # Users choose their names, so a name must not be able to imitate the end of the label or another line.
    return " ".join(visible.visible(text).replace("(", " ").replace(")", " ").split())[:_MAX_NAME_LENGTH]
