"""Simulates users' clicks, submitted modals, and commands, and the interactions that Slack sends to the app.

Slack sends each interaction to the app's request URL, signed, or over Socket Mode if no request URL is set.
"""

import hmac
import json
import secrets
import urllib.parse
from collections.abc import Mapping
from typing import Any, Literal

import pydantic

from router.outbound import errors, fetch
from router.simulator.slack import connections, modals, records, vendor

# Slack documents these lifetimes of trigger IDs and response URLs.
_TRIGGER_SECONDS, _RESPONSE_MINUTES, _SECOND = 3, 30, 1_000_000
_FAILED = "The app did not respond."
Kind = Literal["interactive", "slash_commands", "events_api"]
_SOCKET, _NO_ANSWER = "Socket Mode", -1


class App(pydantic.BaseModel):
    """The configuration of the app at Slack.

    Without a ``request_url``, interactions go over Socket Mode. ``retries`` is how often an interaction is sent again
    if the app doesn't acknowledge it within ``ack_seconds``.
    """

    model_config = pydantic.ConfigDict(extra="forbid")

    request_url: str = ""
    signing_secret: str = "simulated-signing-secret"  # noqa: S105 - of nothing real
    ack_seconds: float = pydantic.Field(default=connections.ACK_SECONDS, gt=0)
    retries: int = pydantic.Field(default=1, ge=0)


class Click(pydantic.BaseModel):
    """A click on the button with this ``action_id`` or label. ``version`` 0 is the message before its first update."""

    model_config = pydantic.ConfigDict(extra="forbid")

    channel: str
    ts: str
    action: str
    user: str = "U0ADA"
    version: int | None = None


class Submission(pydantic.BaseModel):
    """A user submits a modal. ``values`` maps block or action IDs to texts; other inputs keep their initial values."""

    model_config = pydantic.ConfigDict(extra="forbid")

    view: str
    values: dict[str, str] = {}


class Command(pydantic.BaseModel):
    """A user enters a slash command in a channel."""

    model_config = pydantic.ConfigDict(extra="forbid")

    command: str
    text: str = ""
    channel: str = "incidents"
    user: str = "U0ADA"


class Impossible(Exception):
    """The user's action is impossible, because the button, modal, channel, or user doesn't exist."""


class Interactions:
    """Carries out users' actions. ``base`` is the simulator's base URL, for response URLs."""

    def __init__(self, slack: vendor.Slack) -> None:
        self.app = App()
        self._slack = slack

    async def click(self, click: Click, base: str) -> connections.Outcome:
        """Click a button in the current or an earlier version of a message."""
        person = _person(click.user)
        channel = records.channel_of(click.channel)
        message = self._slack.message(channel, click.ts)
        # An ephemeral message exists only for its user.
        if message is None or (message.user and message.user != person.id):
            raise Impossible("there is no such message")
        current = (message.text, message.blocks)
        if click.version is not None:
            # A user may click a message that the app has replaced since. The button still has the value of the old
            # version.
            current = [*vars(message).get("earlier", []), current][click.version]
        button, block = _button(current[1], click.action)
        container: dict[str, Any] = {"type": "message", "message_ts": message.ts, "channel_id": channel}
        payload: dict[str, Any] = {
            "type": "block_actions",
            **self._about(person),
            "container": {**container, "is_ephemeral": bool(message.user)},
            "trigger_id": self._trigger(person),
            "channel": {"id": channel, "name": records.CHANNELS[channel]},
            "state": {"values": {}},
            "response_url": self._response_url(base, channel, person, message.ts),
            "actions": [{**button, "block_id": block, "action_ts": self._moment()}],
        }
        # Slack sends no message with a click on an ephemeral message, so the app can't read its content back.
        if not message.user:
            action_fields = {
                "bot_id": records.BOT,
                "type": "message",
                "text": current[0],
                "user": records.BOT_USER,
                "ts": message.ts,
            }
            action_fields |= {"app_id": records.APP, "team": records.TEAM}
            thread = {"thread_ts": message.thread_ts} if message.thread_ts else {}
            payload["message"] = {**action_fields, **thread, "blocks": _add_block_ids(current[1])}
        return self._record_failure(person, await self._deliver("interactive", payload, accepts=False))

    async def submit(self, submission: Submission, base: str) -> connections.Outcome:
        """Submit an open modal, and apply the app's response to it."""
        del base  # A modal without a response_url_enabled element has no response URLs.
        open_modals = self._slack.workspace.modals
        modal = next(
            (
                open_modal
                for open_modal in open_modals
                if submission.view in {open_modal.id, open_modal.view.get("callback_id")}
            ),
            None,
        )
        if modal is None:
            raise Impossible("there is no such modal")
        try:
            # Slack's client checks the inputs itself. Invalid ones never reach the app.
            values = modals.fill_in(modal, submission.values)
        except ValueError as error:
            raise Impossible(str(error)) from error
        person = _person(modal.user)
        payload = {"type": "view_submission", **self._about(person), "trigger_id": self._trigger(person)}
        payload |= {"view": modals.render(modal, values), "response_urls": []}
        outcome = await self._deliver("interactive", payload, accepts=True)
        # A modal stays open if the app doesn't respond, so that the user can submit again.
        if not outcome.error:
            problem = modals.apply(self._slack.workspace, modal, outcome.response, self._slack.options)
            outcome = connections.Outcome(outcome.attempts, outcome.response, problem)
        return self._record_failure(person, outcome)

    async def command(self, command: Command, base: str) -> connections.Outcome:
        """Enter a slash command, and show the app's response."""
        person, channel = _person(command.user), records.channel_of(command.channel)
        if not channel:
            raise Impossible("there is no such channel")
        url = self._response_url(base, channel, person, "")
        payload = {
            "token": "legacy-verification-token",
            "team_id": records.TEAM,
            "team_domain": records.DOMAIN,
            "channel_id": channel,
            "channel_name": records.CHANNELS[channel],
            "user_id": person.id,
            "user_name": person.name,
            "command": command.command,
            "text": command.text,
            "api_app_id": records.APP,
            "is_enterprise_install": "false",
            "response_url": url,
            "trigger_id": self._trigger(person),
        }
        outcome = await self._deliver("slash_commands", payload, accepts=True)
        if not outcome.error and isinstance(outcome.response, dict) and outcome.response:
            try:
                # The response to a command is shown like a use of its response URL, but doesn't count as one.
                self._slack.respond(records.ResponseUrl(channel, person.id, 0), outcome.response)
            except modals.RefusedError as refused:
                outcome = connections.Outcome(outcome.attempts, outcome.response, str(refused))
        return self._record_failure(person, outcome)

    async def event(self, event: Mapping[str, Any]) -> connections.Outcome:
        """Send an event of the Events API."""
        fields = {"token": "legacy-verification-token", "team_id": records.TEAM, "api_app_id": records.APP}
        payload: dict[str, Any] = {
            **fields,
            "type": "event_callback",
            "event": dict(event),
            "event_id": f"Ev{secrets.token_hex(5)}",
        }
        payload["event_time"] = self._slack.options.clock() // _SECOND
        return await self._deliver("events_api", payload, accepts=False)

    async def _deliver(self, kind: Kind, payload: Mapping[str, Any], *, accepts: bool) -> connections.Outcome:
        if not self.app.request_url:
            self._slack.sockets.ack_seconds = self.app.ack_seconds
            return await self._slack.sockets.deliver(kind, payload, accepts=accepts, retries=self.app.retries)
        body, content_type = _encode(kind, payload)
        reason = ""
        for attempt in range(self.app.retries + 1):
            status, raw = await self._post(body, content_type, attempt, reason)
            if 200 <= status < 300:
                # Slack ignores the response to a click. A reply to it goes to the response URL.
                return connections.Outcome(attempt + 1, _decode(raw) if accepts else None)
            # The app sees this reason in the header of the next attempt.
            reason = "http_timeout" if status == _NO_ANSWER else "http_error"
        return connections.Outcome(self.app.retries + 1, error=reason)

    async def _post(self, body: bytes, content_type: str, attempt: int, reason: str) -> tuple[int, bytes]:
        at = str(self._slack.options.clock() // _SECOND)
        # Slack signs the time and the raw body. An app that parses the form first can't verify the signature.
        mac = hmac.new(self.app.signing_secret.encode(), b"v0:%b:%b" % (at.encode(), body), "sha256").hexdigest()
        headers = {"content-type": content_type, "x-slack-request-timestamp": at, "x-slack-signature": f"v0={mac}"}
        # The first attempt has no retry headers.
        if attempt:
            headers |= {"x-slack-retry-num": str(attempt), "x-slack-retry-reason": reason}
        try:
            return await fetch.exchange(self.app.request_url, body, headers, timeout_seconds=self.app.ack_seconds)
        except errors.Temporary:
            return _NO_ANSWER, b""

    def _record_failure(self, person: records.Person, outcome: connections.Outcome) -> connections.Outcome:
        """Record the error that Slack shows the user if the app failed."""
        if outcome.error:
            self._slack.workspace.failures.append({"user": person.id, "text": f"{_FAILED} ({outcome.error})"})
        return outcome

    def _about(self, person: records.Person) -> dict[str, Any]:
        user = {"id": person.id, "username": person.name, "name": person.name, "team_id": records.TEAM}
        team = {"id": records.TEAM, "domain": records.DOMAIN}
        fields = {"user": user, "team": team, "api_app_id": records.APP, "token": "legacy-verification-token"}
        return {**fields, "enterprise": None, "is_enterprise_install": False}

    def _trigger(self, person: records.Person) -> str:
        name = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        expires_at = self._slack.options.clock() + _TRIGGER_SECONDS * _SECOND
        self._slack.workspace.triggers[name] = records.Trigger(person.id, expires_at)
        return name

    def _response_url(self, base: str, channel: str, person: records.Person, ts: str) -> str:
        token = secrets.token_hex(12)
        expires_at = self._slack.options.clock() + _RESPONSE_MINUTES * 60 * _SECOND
        self._slack.workspace.response_urls[token] = records.ResponseUrl(channel, person.id, expires_at, ts)
        return f"{base}/slack/respond/{token}"

    def _moment(self) -> str:
        now = self._slack.options.clock()
        return f"{now // _SECOND}.{now % _SECOND:06d}"


def _person(name: str) -> records.Person:
    person = records.PEOPLE.get(name)
    if person is None or person.is_deleted:
        raise Impossible("there is no such user")
    return person


def _add_block_ids(blocks: list[Any]) -> list[Any]:
    # Slack adds IDs to blocks that have none, and reports them with each click.
    return [{"block_id": f"b{position}", **block} for position, block in enumerate(blocks)]


def _button(blocks: list[Any], name: str) -> tuple[dict[str, Any], str]:
    """Return the button with this action ID or label, and the ID of its block."""
    for block in _add_block_ids(blocks):
        elements = [*block.get("elements", []), block.get("accessory")]
        for element in elements:
            if (
                isinstance(element, dict)
                and element.get("type") == "button"
                and name in {element.get("action_id"), label(element)}
            ):
                # A click repeats the button without its dialog and its link.
                sent = {key: value for key, value in element.items() if key not in {"confirm", "url"}}
                # Slack generates an action ID for a button that has none.
                return {"action_id": name, **sent}, block["block_id"]
    raise Impossible("there is no such button")


def label(button: Mapping[str, Any]) -> str:
    """Return the visible text of a button."""
    return str(button.get("text", {}).get("text", ""))


def _encode(kind: Kind, payload: Mapping[str, Any]) -> tuple[bytes, str]:
    # Only events are JSON. Clicks and modals are JSON in a form field, and commands are plain form fields.
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urllib.parse.urlencode(fields).encode(), "application/x-www-form-urlencoded"


def _decode(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw.strip() else None
    except ValueError:
        # Slack shows a response that isn't JSON as text.
        return {"text": raw.decode("utf-8", "replace")}
