"""The simulated Slack's Web API: messages, users, modals, and response URLs, with Slack's errors and rate limits.

For most errors, Slack responds with a status of 200 and ``ok`` false.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette import requests, responses, routing

from router.simulator import vendor
from router.simulator.options import Options
from router.simulator.slack import connections, modals, records
from router.simulator.slack.blocks import problem

_MAX_TEXT_LENGTH = 40_000
_MINUTE = 60_000_000
_APP_METHODS = frozenset({"apps.connections.open"})
# These methods don't read JSON bodies.
_FORM_METHODS = frozenset({"users.info", "usergroups.users.list"})
# Calls a minute of Slack's tiers. Other methods aren't limited here.
_CALLS_A_MINUTE = {
    "usergroups.users.list": 20,
    "users.info": 100,
    "chat.postEphemeral": 100,
    "views.open": 100,
    "views.update": 100,
    "apps.connections.open": 50,
}

Body = Mapping[str, Any]


class Slack:
    """One simulated workspace with two channels, five users, and one app."""

    name = "slack"
    refuses_with = 200

    def __init__(self, options: Options) -> None:
        self._options = options
        self._state = records.State()
        self._recent: dict[str, list[int]] = {}
        self.sockets = connections.Sockets()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to keep between runs, without open connections."""
        # Sockets and futures can't be pickled, and rate limits don't survive a restart.
        return {"_options": self._options, "_state": self._state}

    @property
    def workspace(self) -> records.State:
        """The current state."""
        return self._state

    @property
    def options(self) -> Options:
        """The settings of the simulator."""
        return self._options

    def routes(self) -> list[routing.BaseRoute]:
        """Return the routes of the Web API and of the response URLs."""
        return [
            routing.Route("/api/{method}", self._api, methods=["POST", "GET"]),
            routing.Route("/respond/{token}", self._respond, methods=["POST"]),
        ]

    def pages(self) -> list[vendor.Page]:
        """Return no pages: Slack has no status pages."""
        return []

    def state(self) -> dict[str, Any]:
        """Return the messages by channel, and everything else that users see, as JSON-compatible data."""
        fields: dict[str, Any] = {
            name: [vars(message) for message in self._state.messages if message.channel == identity]
            for identity, name in records.CHANNELS.items()
        }
        fields["ephemerals"] = [vars(ephemeral) for ephemeral in self._state.ephemerals]
        fields["modals"] = [vars(modal) for modal in self._state.modals]
        return {**fields, "failures": self._state.failures, "connections": self.sockets.count}

    def reset(self) -> None:
        """Delete all state from calls and clicks. Keep connections open."""
        self._state = records.State()
        self._recent.clear()
        self.sockets.clear_faults()

    def copy_state(self) -> records.State:
        """Return a copy of the workspace's current state."""
        return copy.deepcopy(self._state)

    @contextlib.contextmanager
    def as_of(self, past_state: records.State) -> Iterator[None]:
        """Respond from an earlier state during the block."""
        now, self._state = self._state, past_state
        try:
            yield
        finally:
            self._state = now

    def failure(self, failure: vendor.Failure) -> tuple[dict[str, Any], dict[str, str]]:
        """Return an error in Slack's envelope."""
        if failure.status != 429:
            return {"ok": False, "error": "internal_error"}, {}
        return {"ok": False, "error": "ratelimited"}, {"retry-after": str(int(failure.retry_after_seconds or 0))}

    def delete(self, ts: str) -> None:
        """Delete a message, as a user does."""
        self._state.messages = [message for message in self._state.messages if message.ts != ts]

    def message(self, channel: str, ts: str) -> records.Message | None:
        """Return a message of a channel, or an ephemeral message."""
        messages = [*self._state.messages, *self._state.ephemerals]
        return next((message for message in messages if (message.channel, message.ts) == (channel, ts)), None)

    def add(self, channel: str, content: tuple[str, list[Any]], *, thread: str = "", user: str = "") -> records.Message:
        """Add a message. With ``user``, add an ephemeral message."""
        # Timestamps identify the messages of a channel, so they must be unique.
        self._state.last = max(self._state.last + 1, self._options.clock())
        ts = f"{self._state.last // 1_000_000}.{self._state.last % 1_000_000:06d}"
        message = records.Message(channel, ts, *content, thread_ts=thread, user=user)
        (self._state.ephemerals if user else self._state.messages).append(message)
        return message

    async def _api(self, request: requests.Request) -> responses.Response:
        method = request.path_params["method"]
        try:
            self._authenticate(method, request.headers.get("authorization", ""))
            # A rate limit is one of the few errors with a separate HTTP status.
            if wait := self._seconds_to_wait(method):
                headers = {"retry-after": str(wait)}
                return responses.JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers)
            return responses.JSONResponse({"ok": True, **self._method(method)(await _read(method, request), request)})
        except modals.RefusedError as refused:
            return responses.JSONResponse({"ok": False, "error": str(refused), **refused.details})

    def _authenticate(self, method: str, authorization: str) -> None:
        if not authorization:
            raise modals.RefusedError("not_authed")
        if not self._options.allows(authorization):
            raise modals.RefusedError("invalid_auth")
        # App-level tokens open connections and nothing else. All other methods need a bot's token.
        if authorization.partition(" ")[2].startswith("xapp-") != (method in _APP_METHODS):
            raise modals.RefusedError("not_allowed_token_type")

    def _seconds_to_wait(self, method: str) -> int:
        """Count a call. Return the seconds to wait; 0 if the call is within the limit of its method."""
        limit = _CALLS_A_MINUTE.get(method)
        if limit is None:
            return 0
        now = self._options.clock()
        recent = [at for at in self._recent.get(method, []) if at > now - _MINUTE]
        if len(recent) < limit:
            self._recent[method] = [*recent, now]
            return 0
        # The result is in whole seconds, rounded up, until the oldest call is a minute old. Refused calls don't count.
        return (recent[0] + _MINUTE - now) // 1_000_000 + 1

    def _method(self, method: str) -> Callable[[Body, requests.Request], dict[str, Any]]:
        return {
            "apps.connections.open": self._open_connection,
            "auth.test": _identity,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "usergroups.users.list": _members,
            "users.info": _person,
            "views.open": self._open_view,
            "views.update": self._update_view,
        }.get(method, _unknown)

    def _open_connection(self, _body: Body, request: requests.Request) -> dict[str, Any]:
        scheme = "wss" if request.url.scheme == "https" else "ws"
        return {"url": f"{scheme}://{request.url.netloc}/link/?ticket={self.sockets.ticket()}&app_id={records.APP}"}

    def _post(self, body: Body, _request: requests.Request) -> dict[str, Any]:
        channel = _channel(body)
        thread = str(body.get("thread_ts", ""))
        # A user may have deleted the message to which the router replies.
        if thread and all(message.ts != thread for message in self._state.messages):
            raise modals.RefusedError("thread_not_found")
        message = self.add(channel, _content(body), thread=thread)
        return {"channel": channel, "ts": message.ts, "message": {"text": message.text, "ts": message.ts}}

    def _post_ephemeral(self, body: Body, _request: requests.Request) -> dict[str, Any]:
        channel = _channel(body)
        person = records.PEOPLE.get(str(body.get("user", "")))
        # Only members of a channel can get an ephemeral message there.
        if person is None or not person.is_member:
            raise modals.RefusedError("user_not_in_channel")
        message = self.add(channel, _content(body), thread=str(body.get("thread_ts", "")), user=person.id)
        return {"message_ts": message.ts}

    def _update(self, body: Body, _request: requests.Request) -> dict[str, Any]:
        # Unlike posting, updating needs the ID of the channel.
        channel, ts = str(body.get("channel", "")), str(body.get("ts", ""))
        if channel not in records.CHANNELS:
            raise modals.RefusedError("channel_not_found")
        message = self.message(channel, ts)
        # Ephemeral messages can be changed only by a response URL.
        if message is None or message.user:
            raise modals.RefusedError("message_not_found")
        message.replace(*_content(body))
        return {"channel": channel, "ts": ts, "text": message.text}

    def _open_view(self, body: Body, _request: requests.Request) -> dict[str, Any]:
        return {"view": modals.open_view(self._state, body, self._options)}

    def _update_view(self, body: Body, _request: requests.Request) -> dict[str, Any]:
        return {"view": modals.update_view(self._state, body, self._options)}

    async def _respond(self, request: requests.Request) -> responses.Response:
        """Carry out one use of a response URL, which needs no token."""
        response_url = self._state.response_urls.get(request.path_params["token"])
        now = self._options.clock()
        if response_url is None or not response_url.left or now > response_url.expires_at:
            error = "used_url" if response_url is not None and not response_url.left else "expired_url"
            return responses.JSONResponse({"ok": False, "error": error}, 404)
        # A refused use counts, too.
        response_url.left -= 1
        try:
            self.respond(response_url, await request.json())
        except (modals.RefusedError, ValueError) as refused:
            return responses.JSONResponse({"ok": False, "error": str(refused)}, 400)
        return responses.PlainTextResponse("ok")

    def respond(self, to: records.ResponseUrl, body: Body) -> None:
        """Post, replace, or delete a message in response to an interaction. Raises ``modals.RefusedError``."""
        original = self.message(to.channel, to.ts) if to.ts else None
        if body.get("delete_original") is True:
            self._state.ephemerals = [ephemeral for ephemeral in self._state.ephemerals if ephemeral is not original]
            self._state.messages = [message for message in self._state.messages if message is not original]
        elif body.get("replace_original") is True and original is not None:
            original.replace(*_content(body))
        else:
            is_public = body.get("response_type") == "in_channel"
            thread = str(body.get("thread_ts", ""))
            self.add(to.channel, _content(body), thread=thread, user="" if is_public else to.user)


async def _read(method: str, request: requests.Request) -> Body:
    is_json = request.headers.get("content-type", "").startswith("application/json")
    if request.method == "GET":
        return dict(request.query_params)
    # Slack's methods take forms or JSON, and its own SDK sends forms.
    if not is_json:
        return {**request.query_params, **dict(await request.form())}
    if method in _FORM_METHODS:
        return dict(request.query_params)
    body = await request.json()
    return body if isinstance(body, dict) else {}


def _identity(_body: Body, _request: requests.Request) -> dict[str, Any]:
    return {"url": f"https://{records.DOMAIN}.slack.com/", "team": records.DOMAIN, "user": "incident-router"} | {
        "team_id": records.TEAM,
        "user_id": records.BOT_USER,
        "bot_id": records.BOT,
    }


def _members(body: Body, _request: requests.Request) -> dict[str, Any]:
    group = str(body.get("usergroup", ""))
    if not group:
        raise modals.RefusedError("missing_argument")
    if group not in records.GROUPS:
        raise modals.RefusedError("no_such_subteam")
    return {"users": list(records.GROUPS[group])}


def _person(body: Body, _request: requests.Request) -> dict[str, Any]:
    person = records.PEOPLE.get(str(body.get("user", "")))
    if person is None:
        raise modals.RefusedError("user_not_found")
    profile = {"real_name": person.real_name, "display_name": person.name, "email": f"{person.name}@example.com"}
    fields = {"id": person.id, "team_id": records.TEAM, "name": person.name, "deleted": person.is_deleted}
    return {
        "user": {**fields, "real_name": person.real_name, "tz": "Europe/Berlin", "is_bot": False, "profile": profile}
    }


def _unknown(_body: Body, _request: requests.Request) -> dict[str, Any]:
    raise modals.RefusedError("unknown_method")


def _channel(body: Body) -> str:
    channel = records.channel_of(str(body.get("channel", "")))
    if not channel:
        raise modals.RefusedError("channel_not_found")
    return channel


def _content(body: Body) -> tuple[str, list[Any]]:
    text, blocks = str(body.get("text", "")), body.get("blocks") or []
    # Slack requires a text or blocks. The text is also the notification of a message with blocks.
    if not text and not blocks:
        raise modals.RefusedError("no_text")
    if len(text) > _MAX_TEXT_LENGTH:
        raise modals.RefusedError("msg_too_long")
    if problem(blocks):
        raise modals.RefusedError("invalid_blocks")
    return text, blocks
