"""The Slack app with a whole worker, and a workspace that sends signed requests and records the router's calls."""

import contextlib
import dataclasses
import hashlib
import hmac
import itertools
import json
import urllib.parse
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
from slack_sdk.models import blocks, views
from starlette import applications, requests, responses, routing

from router.configuration import sections
from router.notifiers import slack_reviews
from router.store import slack_requests
from tests.integration import consoles, servers

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ADA, BOB, EVE = "U0ADA", "U0BOB", "U0EVE"
NAMES = {ADA: "ada", BOB: "bob", EVE: "eve"}
TEAM = "T0TEAM"


class Workspace:
    """Records calls of the Web API and replies. ``errors`` are the errors of methods, ``groups`` the user groups."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.replies: list[dict[str, Any]] = []
        self.errors: dict[str, str] = {}
        self.groups: dict[str, list[str]] = {}
        self.held: Any = None  # An asyncio.Event for which every call waits.

    @property
    def view(self) -> dict[str, Any]:
        """The form that was opened most recently."""
        return [body for method, body in self.calls if method == "views.open"][-1]["view"]

    def application(self) -> applications.Starlette:
        """Return the application that serves Slack's URLs."""
        return applications.Starlette(
            routes=[
                routing.Route("/api/{method}", self._call, methods=["GET", "POST"]),
                routing.Route("/respond", self._reply, methods=["POST"]),
            ]
        )

    async def _call(self, request: requests.Request) -> responses.Response:
        method = request.path_params["method"]
        body = dict(request.query_params) if request.method == "GET" else await request.json()
        self.calls.append((method, body))
        if self.held is not None:
            await self.held.wait()
        if method in self.errors:
            return responses.JSONResponse({"ok": False, "error": self.errors[method]})
        if method == "usergroups.users.list":
            return responses.JSONResponse({"ok": True, "users": self.groups[body["usergroup"]]})
        views.View(**body["view"]).validate_json()
        return responses.JSONResponse({"ok": True})

    async def _reply(self, request: requests.Request) -> responses.Response:
        body = await request.json()
        for block in body["blocks"]:
            blocks.Block.parse(block).validate_json()
        self.replies.append(body)
        return responses.PlainTextResponse("ok")


class SlackHarness:
    """The actions of users in Slack. ``management`` is the console with its worker."""

    def __init__(self, management: consoles.ManagementHarness, workspace: Workspace, url: str) -> None:
        self.management = management
        self.workspace = workspace
        self.response_url = f"{url}/respond"
        self._clicks = itertools.count()

    @property
    def text(self) -> str:
        """The text of the last reply."""
        return self.workspace.replies[-1]["text"]

    async def subject(self, service: str = "checkout") -> slack_reviews.ButtonSubject:
        """Return the review that the buttons decide on, with the version that they show."""
        review = await self.management.parts.queries.review(consoles.key(service), "page")
        assert review is not None
        return slack_reviews.ButtonSubject(review.reference, review.destination, review.digest)

    def interaction(self, kind: str, user: str, **more: Any) -> dict[str, Any]:
        """Return a payload of an interaction."""
        who = {"id": user, "username": NAMES.get(user, user), "name": NAMES.get(user, user), "team_id": TEAM}
        return {"type": kind, "user": who, "team": {"id": TEAM}, "trigger_id": f"t.{next(self._clicks)}", **more}

    def click(
        self, action: str, subject: slack_reviews.ButtonSubject, user: str = ADA, *, is_ephemeral: bool = False
    ) -> dict[str, Any]:
        """Return the payload of a click."""
        pressed = {"action_id": action, "type": "button", "value": subject.value, "action_ts": str(next(self._clicks))}
        container = {"type": "message", "message_ts": "1.1", "channel_id": "C1", "is_ephemeral": is_ephemeral}
        more = {"actions": [pressed], "container": container, "response_url": self.response_url}
        return self.interaction("block_actions", user, **more)

    def submission(self, texts: dict[str, str], user: str = ADA, view: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the payload of the submitted form, with these texts instead of the shown ones."""
        view = view or self.workspace.view
        values: dict[str, Any] = {}
        for block in view["blocks"]:
            if block["type"] == "input":
                shown = block["element"].get("initial_value")
                text = texts.get(block["block_id"].partition(":")[0], shown)
                values[block["block_id"]] = {block["element"]["action_id"]: {"type": "plain_text_input", "value": text}}
        kept = {name: view[name] for name in ("callback_id", "private_metadata")}
        return self.interaction("view_submission", user, view={**kept, "state": {"values": values}})

    def command(self, name: str, text: str = "", user: str = ADA) -> dict[str, str]:
        """Return the fields of a slash command."""
        who = {"user_id": user, "user_name": NAMES.get(user, user), "team_id": TEAM}
        return {"command": name, "text": text, **who, "trigger_id": f"t.{next(self._clicks)}"} | {
            "response_url": self.response_url
        }

    async def act(self, payload: dict[str, Any]) -> httpx.Response:
        """Send a signed interaction, and wait until its effects are complete."""
        return await self.send("/v1/slack/actions", {"payload": json.dumps(payload)})

    async def send(self, path: str, form: dict[str, str], **more: Any) -> httpx.Response:
        """Send a signed form."""
        body = urllib.parse.urlencode(form).encode()
        answer = await self.request(path, body, **more)
        await self.management.slack.finish()
        return answer

    async def request(
        self, path: str, body: bytes, *, secret: str = SECRET, late: int = 0, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send a body that was signed ``late`` seconds ago."""
        at = str(self.management.clock() // 1_000_000 - late)
        digest = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
        signed = {"x-slack-request-timestamp": at, "x-slack-signature": f"v0={digest}"}
        client = await self.management.client()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await client.post(path, content=body, headers={**kind, **signed, **(headers or {})})

    async def audit(self, most: int = 100) -> list[tuple[str, str, str]]:
        """Return the audit log as (actor, action, outcome), newest first."""
        lines, _ = await self.management.store.audit.page("", most)
        return [(line.who, line.what, line.outcome) for line in lines if line.who != "test"]

    async def forget_requests(self) -> None:
        """Forget the handled requests, as if their time to live had passed."""
        names = [name async for name in self.management.store.redis.scan_iter("ir:{access}:slack:*")]
        assert slack_requests.LIFE_SECONDS > 600
        await self.management.store.redis.delete(*names)


Play = Callable[[SlackHarness], Coroutine[Any, Any, None]]


@contextlib.asynccontextmanager
async def serve_app(loaded: Any, store: Any, **more: Any) -> AsyncIterator[SlackHarness]:
    """Serve a management application with a Slack app; ``more`` are settings of the app."""
    workspace = Workspace()
    async with servers.run_server(workspace.application()) as (port, _):
        url = f"http://127.0.0.1:{port}"
        given = {
            "token": "xoxb-1",
            "signing_secret": SECRET,
            "base_url": f"{url}/api",
            "responders": [ADA, BOB],
            **more,
        }
        config = sections.SlackApp.model_validate(given)
        async with consoles.serve_console(dataclasses.replace(loaded, slack_app=config), store) as management:
            yield SlackHarness(management, workspace, url)


def run(
    with_redis: Any, folder: Any, play: Play, *, public_url: str = "", rules: str = consoles.RULES, **more: Any
) -> None:
    """Run ``play`` with a Slack harness on an empty server."""

    async def body(store: Any) -> None:
        async with serve_app(consoles.settings(folder, public_url, rules), store, **more) as slack:
            await play(slack)

    with_redis(body)
