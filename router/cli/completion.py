"""Shell completion: the names of sources, destinations, notifiers, and incidents.

A failed completion prints nothing, because a message in the middle of a command line would be worse.
"""

import asyncio
import contextlib
import io
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import typer

from router import configuration
from router.api import api_client, app
from router.bootstrap import factories, processes
from router.cli import router_access
from router.services import queries
from router.sources import registry

_SECONDS = 2.0  # The shell blocks meanwhile.
_MOST = 100
_LONGEST = 40  # The length of a title in characters.
_NO_WORDS = re.compile(r"[^\w.,-]+")
Found = list[tuple[str, str]]
"""Completions, and what each stands for."""


def incidents(context: typer.Context, incomplete: str) -> Found:
    """Return the references of open incidents, with the beginnings of their titles."""

    async def ask(router: queries.Queries | api_client.Queries) -> Found:
        found = (await router.incidents(limit=_MOST)).items
        return [(one.reference, _harmless(one.title)) for one in found if one.reference]

    return _beginning(_asked(context, ask), incomplete)


def sources(context: typer.Context, incomplete: str) -> Found:
    """Complete the names of configured sources."""
    loaded = _settings(context)
    return _beginning([(name, one.kind) for name, one in loaded.sources.items()] if loaded else [], incomplete)


def kinds(incomplete: str) -> Found:
    """Complete the kinds of sources."""
    return _beginning([(name, kind.summary) for name, kind in registry.KINDS.items()], incomplete)


def destinations(context: typer.Context, incomplete: str) -> Found:
    """Complete the names of configured destinations."""
    loaded = _settings(context)
    return _beginning([(name, one.kind) for name, one in loaded.destinations.items()] if loaded else [], incomplete)


def notifiers(context: typer.Context, incomplete: str) -> Found:
    """Complete the names of configured notifiers."""
    loaded = _settings(context)
    return _beginning([(name, one.kind) for name, one in loaded.notifiers.items()] if loaded else [], incomplete)


def _harmless(title: str) -> str:
    """Return a title without characters that a shell interprets.

    Shells evaluate the result, and senders wrote the title.
    """
    return " ".join(_NO_WORDS.sub(" ", title).split())[:_LONGEST]


def _beginning(found: Iterable[tuple[str, str]], incomplete: str) -> Found:
    return [(name, about) for name, about in dict(found).items() if name.startswith(incomplete)]


def _asked(context: typer.Context, ask: Callable[[queries.Queries | api_client.Queries], Awaitable[Found]]) -> Found:
    server = context.params.get("server") or os.environ.get("INCIDENT_ROUTER_SERVER", "")
    loaded = None if server else _settings(context)

    async def main() -> Found:
        async with asyncio.timeout(_SECONDS):
            if server:
                async with router_access.elsewhere(server) as router:
                    return await ask(router.queries)
            assert loaded is not None  # noqa: S101 - the settings are read if no server is named
            async with processes.connected(processes.outside_redis(loaded)) as connection:
                return await ask(app.dependencies(loaded, connection, factories.clock, secrets.token_urlsafe).queries)

    if not server and loaded is None:
        return []
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return asyncio.run(main())
    except Exception:  # noqa: BLE001 - whatever it is, there is nothing to complete
        return []


def _settings(context: typer.Context) -> configuration.Settings | None:
    file = context.params.get("config") or os.environ.get("INCIDENT_ROUTER_CONFIG") or configuration.DEFAULT_FILE
    try:
        return configuration.load(Path(file), os.environ, configuration.StandIn("not-used", {}), ())
    except configuration.Refused:
        return None
