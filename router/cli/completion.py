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
_MAX_CANDIDATES = 100
_MAX_LENGTH = 40  # The length of a title in characters.
_NO_WORDS = re.compile(r"[^\w.,-]+")
Found = list[tuple[str, str]]
"""Completions, and their descriptions."""


def incidents(context: typer.Context, incomplete: str) -> Found:
    """Return the references of open incidents, with the beginnings of their titles."""

    async def ask(router: queries.Queries | api_client.Queries) -> Found:
        # One page is enough: more candidates than this aren't readable in a terminal.
        incident_rows = (await router.incidents(limit=_MAX_CANDIDATES)).items
        return [
            (incident_row.reference, _remove_special_characters(incident_row.title))
            for incident_row in incident_rows
            # A pending incident has no reference, and its key contains characters that shells interpret.
            if incident_row.reference
        ]

    return _filter_by_prefix(_query_router(context, ask), incomplete)


def sources(context: typer.Context, incomplete: str) -> Found:
    """Complete the names of configured sources."""
    settings = _settings(context)
    return _filter_by_prefix(
        [(name, source.kind) for name, source in settings.sources.items()] if settings else [], incomplete
    )


def kinds(incomplete: str) -> Found:
    """Complete the kinds of sources."""
    return _filter_by_prefix([(name, kind.summary) for name, kind in registry.KINDS.items()], incomplete)


def destinations(context: typer.Context, incomplete: str) -> Found:
    """Complete the names of configured destinations."""
    settings = _settings(context)
    return _filter_by_prefix(
        [(name, destination.kind) for name, destination in settings.destinations.items()] if settings else [],
        incomplete,
    )


def notifiers(context: typer.Context, incomplete: str) -> Found:
    """Complete the names of configured notifiers."""
    settings = _settings(context)
    return _filter_by_prefix(
        [(name, notifier.kind) for name, notifier in settings.notifiers.items()] if settings else [], incomplete
    )


def _remove_special_characters(title: str) -> str:
    """Return a title without characters that a shell interprets.

    Shells evaluate the result, and senders wrote the title.
    """
    return " ".join(_NO_WORDS.sub(" ", title).split())[:_MAX_LENGTH]


def _filter_by_prefix(names: Iterable[tuple[str, str]], incomplete: str) -> Found:
    return [(name, description) for name, description in dict(names).items() if name.startswith(incomplete)]


def _query_router(
    context: typer.Context, query: Callable[[queries.Queries | api_client.Queries], Awaitable[Found]]
) -> Found:
    # Candidates come from the router that the completed command would use.
    server = context.params.get("server") or os.environ.get("INCIDENT_ROUTER_SERVER", "")
    settings = None if server else _settings(context)

    async def main() -> Found:
        async with asyncio.timeout(_SECONDS):
            if server:
                async with router_access.connect_remotely(server) as router:
                    return await query(router.queries)
            assert settings is not None  # noqa: S101 - the settings are read if no server is named
            async with processes.connect(settings) as store:
                return await query(app.dependencies(settings, store, factories.clock, secrets.token_urlsafe).queries)

    # Without a configuration, there is no Redis to ask.
    if not server and settings is None:
        return []
    try:
        # Commands print their errors to standard error, which would appear in the middle of the command line.
        with contextlib.redirect_stderr(io.StringIO()):
            return asyncio.run(main())
    except Exception:  # noqa: BLE001 - whatever it is, there is nothing to complete
        return []


def _settings(context: typer.Context) -> configuration.Settings | None:
    file = context.params.get("config") or os.environ.get("INCIDENT_ROUTER_CONFIG") or configuration.DEFAULT_FILE
    try:
        # No secret is needed for names, and the shell of an operator usually has none.
        return configuration.load(Path(file), os.environ, configuration.StandIn("not-used", {}), ())
    except configuration.InvalidConfiguration:
        return None
