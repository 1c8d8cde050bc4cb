"""Serves the console next to the webhook server: from the same process, on a separate port."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from router import configuration
from router.api import app, slack_endpoints
from router.bootstrap import factories, listeners, processes
from router.console import views
from router.domain import access
from router.notifiers import slack_api
from router.services import actions, request_bodies
from router.slack import socket_mode
from router.slack.app import SlackApp
from router.store import private_folder
from router.store.store import Store

_OPEN_SECONDS = 10.0


@contextlib.asynccontextmanager
async def serving(
    router: processes.Running,
    store: Store,
    group: asyncio.TaskGroup,
    listener: socket.socket | None = None,
    stop: asyncio.Event | None = None,
) -> AsyncIterator[str]:
    """Serve the console and its API for the length of the block. Yields the base URL.

    ``listener`` is the socket that is already open for them. Once ``stop`` is set, the server accepts no new request.
    """
    settings = router.settings
    dependencies = app.dependencies(settings, store, factories.clock, secrets.token_urlsafe, router.in_force)
    pages, feed = views.routes(dependencies, secrets.token_urlsafe)
    slack = SlackApp.from_settings(dependencies.queries, dependencies.actions)
    pages += slack_endpoints.routes(dependencies.queries, slack)
    host, port = settings.management.host, listeners.console_port(settings)
    async with contextlib.AsyncExitStack() as stack:
        if slack is not None:
            # The stack closes in reverse order: first the server, then Socket Mode, and last the client that both use.
            stack.push_async_callback(slack.aclose)
            await stack.enter_async_context(_receiving(settings, slack))
        served = processes.serving(app.create_app(dependencies, pages), host, port, group, listener=listener, stop=stop)
        address = await stack.enter_async_context(served)
        try:
            yield address.url
        finally:
            # Open event streams of browsers would otherwise keep the server from stopping.
            feed.close()


@contextlib.asynccontextmanager
async def _receiving(settings: configuration.Settings, slack: SlackApp) -> AsyncIterator[None]:
    """Receive from Slack over Socket Mode for the length of the block, if it is configured."""
    config = settings.slack_app
    # Without an app token, Slack sends its requests over HTTP.
    if config is None or config.app_token is None:
        yield
        return
    token = config.app_token.get_secret_value()
    api = slack_api.WebApi("slack-app", config.base_url, token, factories.clock, timeout_seconds=_OPEN_SECONDS)

    async def open_url() -> str:
        return str((await api.call("apps.connections.open", {})).get("url", ""))

    try:
        async with socket_mode.SocketMode(open_url, slack.handle, secrets.SystemRandom()).running():
            yield
    finally:
        await api.aclose()


async def first_token(router: processes.Running, store: Store, folder: Path) -> str:
    """Return an admin's token for a first try, which is created once and stored in the data folder."""
    dependencies = app.dependencies(router.settings, store, factories.clock, secrets.token_urlsafe)
    path = folder / "console-token"
    saved_token = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    # The token in the folder may be unknown to this Redis, or an operator may have revoked it.
    if saved_token and await dependencies.authenticator.person_of_token(saved_token) is not None:
        return saved_token
    me = actions.Caller(access.Person("run --simulate", access.Role.ADMIN, "command line"))
    # The token doesn't expire, so that a second run of the same folder needs no other one.
    new_token = request_bodies.NewToken(name="first try", role="admin", seconds=0)
    token = (await dependencies.actions.make_token(actions.ActionContext(me, new_token.name), new_token)).token
    await asyncio.to_thread(private_folder.write, path, token)
    return token
