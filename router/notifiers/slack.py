"""Slack: a message for each incident and each review in a channel, updated as they change, with details in its thread.

Slack has no idempotency keys, so each call is recorded before the next one is made: after a crash, or a call that was
not answered, at most one message is posted twice.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import pydantic

from router.domain import events
from router.domain.undecodable import Undecodable
from router.notifiers import base, slack_api, slack_blocks, slack_messages

_POST, _UPDATE = "chat.postMessage", "chat.update"


class Config(base.Config):
    """A channel, and the token of the bot that writes there."""

    kind: Literal["slack"] = "slack"
    token: pydantic.SecretStr
    channel: str = pydantic.Field(min_length=1, description="The channel's ID, or its name with #.")
    base_url: str = "https://slack.com/api"
    buttons: bool = pydantic.Field(
        default=True, description="Whether reviews have buttons, if slack_app is configured."
    )
    # Slack allows about one message per second and channel.
    per_minute: int = pydantic.Field(default=60, ge=10)

    @pydantic.field_validator("base_url")
    @classmethod
    def _check_base_url(cls, url: str) -> str:
        return base.url(url)


class Slack:
    """Posts and updates messages in one channel."""

    def __init__(self, name: str, config: Config, connection: base.NotifierConnection) -> None:
        """Open no connection yet."""
        self._channel = config.channel
        buttons = config.buttons and connection.has_slack_app
        self._renderer = slack_messages.MessageRenderer(connection.console, buttons=buttons)
        self._api = slack_api.WebApi(
            name,
            config.base_url,
            config.token.get_secret_value(),
            connection.clock,
            timeout_seconds=config.timeout_seconds,
            quota=connection.quota,
        )

    async def deliver(self, batch: base.Batch) -> base.Delivered:
        """Make the next call that brings the channel up to date with all events of the batch.

        The events count as delivered once no call is left to make.
        """
        recorded_events = _take_one_episode(batch.events)
        state = dict(batch.state)
        view = slack_messages.apply(_view(state), recorded_events)
        pending = [
            message
            for message in self._renderer.messages(view, recorded_events)
            if state.get(message.key) != message.digest
        ]
        # One call for each turn: the state is saved in between, so that a crash repeats at most one message.
        if pending:
            await self._send(pending[0], state)
        # The events stay undelivered until no call is left.
        if len(pending) > 1:
            return base.Delivered(recorded_events[0].sequence - 1, state)
        # The view is stored only with the last call. Before that, the same events are applied to the earlier view
        # again.
        state["view"] = msgspec.json.encode(view).decode()
        return base.Delivered(recorded_events[-1].sequence, _prune_state(state, view))

    async def aclose(self) -> None:
        """Close the connections to Slack."""
        await self._api.aclose()

    async def _send(self, message: slack_messages.SlackMessage, state: dict[str, str]) -> None:
        """Post or update a message, and note its timestamp and digest in the state."""
        ts_of = f"ts:{message.key}"
        text = slack_blocks.cut_markup(message.text, slack_blocks.TEXT)
        body: dict[str, Any] = {"text": text, "blocks": message.blocks, "unfurl_links": False}
        # The message exists, so it is updated in place.
        if ts_of in state:
            try:
                await self._api.call(_UPDATE, {**body, "channel": state["channel"], "ts": state[ts_of]})
            except slack_api.MessageGoneError:
                del state[ts_of]  # The message was deleted in Slack, so post it again.
        if ts_of not in state:
            thread: dict[str, Any] = {}
            # A reply needs the first message, which may have been deleted.
            if f"ts:{message.thread}" in state:
                thread = {"thread_ts": state[f"ts:{message.thread}"], "reply_broadcast": message.is_broadcast}
            answer = await self._api.call(_POST, {**body, **thread, "channel": state.get("channel", self._channel)})
            # Updates need the channel's ID, which only the response has. The settings may name the channel.
            state[ts_of], state["channel"] = str(answer.get("ts", "")), str(answer.get("channel", self._channel))
        state[message.key] = message.digest


def _view(state: Mapping[str, str]) -> slack_messages.SubjectView:
    try:
        return msgspec.json.decode(state.get("view", "{}"), type=slack_messages.SubjectView)
    # Another version of the router may have written the view. An empty view costs a message its earlier facts.
    except Undecodable:
        return slack_messages.SubjectView()


def _take_one_episode(recorded_events: Sequence[events.Recorded]) -> Sequence[events.Recorded]:
    """Return the events before the next opening: each episode has its own messages."""
    openings = (at for at, entry in enumerate(recorded_events) if at and isinstance(entry.event, events.IncidentOpened))
    return recorded_events[: next(openings, len(recorded_events))]


def _prune_state(state: Mapping[str, str], view: slack_messages.SubjectView) -> dict[str, str]:
    """Return the state without the entries of messages that are never updated again."""
    current = {"view", "channel"}
    # Without an open incident, no message is updated again.
    if view.incident is None:
        return {key: value for key, value in state.items() if key in current}
    name = view.incident.reference
    return {key: value for key, value in state.items() if key in current or key.removeprefix("ts:").startswith(name)}


KIND = base.Kind(
    name="slack",
    config=Config,
    make=Slack,
    summary="a message for each incident and review in a Slack channel, updated as they change",
)
