"""Serves the console next to the webhook server: from the same process, on a separate port."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import redis.asyncio

from router.api import app, slack_endpoints
from router.assembly import listeners, parts, running
from router.console import views
from router.domain import access
from router.services import actions, request_bodies
from router.slack.app import SlackApp
from router.store import private_folder


@contextlib.asynccontextmanager
async def serving(
    router: running.Running,
    connection: "redis.asyncio.Redis",
    group: asyncio.TaskGroup,
    listener: socket.socket | None = None,
    stop: asyncio.Event | None = None,
) -> AsyncIterator[str]:
    """Serve the console and its API for the length of the block. Yields the base URL.

    ``listener`` is the socket that is already open for them. Once ``stop`` is set, the server accepts no new request.
    """
    settings = router.settings
    made = app.dependencies(settings, connection, parts.clock, secrets.token_urlsafe, router.in_force)
    pages, feed = views.routes(made, secrets.token_urlsafe)
    slack = SlackApp.of(made.queries, made.actions)
    pages += slack_endpoints.routes(made.queries, slack)
    host, port = settings.management.host, listeners.console_port(settings)
    async with running.serving(app.create(made, pages), host, port, group, listener=listener, stop=stop) as address:
        try:
            yield address.url
        finally:
            feed.close()
            if slack is not None:
                await slack.aclose()


async def first_token(router: running.Running, connection: "redis.asyncio.Redis", folder: Path) -> str:
    """Return an admin's token for a first try, which is created once and stored in the data folder."""
    made = app.dependencies(router.settings, connection, parts.clock, secrets.token_urlsafe)
    kept = folder / "console-token"
    known = kept.read_text(encoding="utf-8").strip() if kept.exists() else ""
    if known and await made.authenticator.person_of_token(known) is not None:
        return known
    me = actions.Caller(access.Person("run --simulate", access.Role.ADMIN, "command line"))
    wanted = request_bodies.NewToken(name="first try", role="admin", seconds=0)
    token = (await made.actions.make_token(actions.ActionContext(me, wanted.name), wanted)).token
    await asyncio.to_thread(private_folder.write, kept, token)
    return token
