"""The simulated Slack's Web API: posting and updating messages, its error envelope, and its limits of blocks.

For most errors, Slack responds with a status of 200 and ``ok`` false.
"""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette import requests, responses, routing

from router.simulator import options as settings
from router.simulator import vendor
from router.simulator.slack import blocks as limits

_CHANNELS = {"C0INCIDENTS": "incidents", "C0APPROVALS": "status-approvals"}
_MOST_TEXT = 40_000


@dataclass
class Message:
    """One message of a channel. ``edits`` counts its updates."""

    channel: str
    ts: str
    text: str
    blocks: list[Any]
    thread_ts: str = ""
    edits: int = 0


@dataclass
class State:
    """The state of the workspace."""

    messages: list[Message] = field(default_factory=list)
    last: int = 0


class RefusedError(Exception):
    """Slack refuses a call with this error code."""


class Slack:
    """One simulated workspace with two channels."""

    name = "slack"
    refuses_with = 200

    def __init__(self, options: settings.Options) -> None:
        self._options = options
        self._state = State()

    def routes(self) -> list[routing.BaseRoute]:
        """Return the routes of the Web API."""
        return [
            routing.Route("/api/chat.postMessage", self._answer(self._post), methods=["POST"]),
            routing.Route("/api/chat.update", self._answer(self._update), methods=["POST"]),
            routing.Route("/api/{method}", self._answer(self._unknown), methods=["POST", "GET"]),
        ]

    def pages(self) -> list[vendor.Page]:
        """Return no pages: Slack has no status pages."""
        return []

    def state(self) -> dict[str, Any]:
        """Return every message as plain data, by channel."""
        return {
            name: [vars(one) for one in self._state.messages if one.channel == identity]
            for identity, name in _CHANNELS.items()
        }

    def reset(self) -> None:
        """Delete every message."""
        self._state = State()

    def remembered(self) -> State:
        """Return a copy of the workspace's current state."""
        return copy.deepcopy(self._state)

    @contextlib.contextmanager
    def as_of(self, remembered: State) -> Iterator[None]:
        """Respond from an earlier state during the block."""
        now, self._state = self._state, remembered
        try:
            yield
        finally:
            self._state = now

    def failure(self, failure: vendor.Failure) -> tuple[dict[str, Any], dict[str, str]]:
        """Return an error in Slack's envelope."""
        word = "ratelimited" if failure.status == 429 else "internal_error"
        return {"ok": False, "error": word}, {}

    def _answer(self, method: Any) -> Any:
        async def answer(request: requests.Request) -> responses.Response:
            try:
                self._authenticate(request.headers.get("authorization", ""))
                is_json = request.headers.get("content-type", "").startswith("application/json")
                body = await request.json() if is_json else dict(await request.form())
                return responses.JSONResponse({"ok": True, **method(body)})
            except RefusedError as refused:
                return responses.JSONResponse({"ok": False, "error": str(refused)})

        return answer

    def _authenticate(self, authorization: str) -> None:
        if not authorization:
            raise RefusedError("not_authed")
        if not self._options.allows(authorization):
            raise RefusedError("invalid_auth")

    def _unknown(self, _body: Any) -> dict[str, Any]:
        raise RefusedError("unknown_method")

    def _post(self, body: Any) -> dict[str, Any]:
        named = str(body.get("channel", ""))
        found = [one for one, name in _CHANNELS.items() if named in {one, name, f"#{name}"}]
        if not found:
            raise RefusedError("channel_not_found")
        thread = str(body.get("thread_ts", ""))
        if thread and all(one.ts != thread for one in self._state.messages):
            raise RefusedError("thread_not_found")
        text, shown = _content(body)
        # Timestamps identify the messages of a channel, so they must be unique.
        self._state.last = max(self._state.last + 1, self._options.clock())
        ts = f"{self._state.last // 1_000_000}.{self._state.last % 1_000_000:06d}"
        self._state.messages.append(Message(found[0], ts, text, shown, thread))
        return {"channel": found[0], "ts": ts, "message": {"text": text, "ts": ts}}

    def _update(self, body: Any) -> dict[str, Any]:
        # Unlike posting, updating needs the ID of the channel.
        channel, ts = str(body.get("channel", "")), str(body.get("ts", ""))
        if channel not in _CHANNELS:
            raise RefusedError("channel_not_found")
        for one in self._state.messages:
            if (one.channel, one.ts) == (channel, ts):
                one.text, one.blocks = _content(body)
                one.edits += 1
                return {"channel": channel, "ts": ts, "text": one.text}
        raise RefusedError("message_not_found")

    def delete(self, ts: str) -> None:
        """Delete a message, as a user does."""
        self._state.messages = [one for one in self._state.messages if one.ts != ts]


def _content(body: Any) -> tuple[str, list[Any]]:
    text, shown = str(body.get("text", "")), body.get("blocks") or []
    if not text and not shown:
        raise RefusedError("no_text")
    if len(text) > _MOST_TEXT:
        raise RefusedError("msg_too_long")
    if limits.problem(shown):
        raise RefusedError("invalid_blocks")
    return text, shown
