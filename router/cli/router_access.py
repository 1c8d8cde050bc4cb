"""Connects a command to a router: through its Redis, or with ``--server`` through the API of a router elsewhere."""

import contextlib
import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar
from urllib import parse

import typer

from router import configuration
from router.api import api_client, app
from router.bootstrap import factories, processes
from router.cli import startup, terminal
from router.domain import access
from router.services import actions, incident_names, models, queries

Row = TypeVar("Row")


ActionContext = actions.ActionContext  # The field ``actions`` hides the module in the class below.


@dataclass(frozen=True)
class Reached:
    """A router to query and act on. ``server`` is its address, empty if the command uses its Redis."""

    queries: queries.Queries | api_client.Queries
    actions: actions.Actions | api_client.Actions
    server: str = ""

    def act(self, subject: str, by: str = "", reason: str = "") -> ActionContext:
        """Return the caller, subject, and reason of an action. With ``--server``, the token names the person."""
        # The audit log must name the owner of the token, who can't be chosen freely.
        if self.server and by:
            raise startup.usage("--by isn't accepted with --server: the token names you")
        name = by or ("" if self.server else startup.login_name())
        return actions.ActionContext(
            # A command with access to Redis can change everything there, so a lower role would protect nothing.
            actions.Caller(access.Person(name, access.Role.ADMIN, "command line")),
            subject,
            reason,
        )


def reach(config: Path, server: str, body: Callable[[Reached], Awaitable[None]]) -> None:
    """Run a command body against a router. If the router refuses, print the reason and exit with status 1."""

    async def main() -> None:
        try:
            async with connect_remotely(server) if server else _connect_locally(config) as reached:
                await body(reached)
        except (
            actions.SubjectNotFound,
            actions.InvalidRequest,
            actions.SubjectChanged,
            api_client.RequestRefused,
        ) as error:
            print(f"incident-router: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        # An ambiguous name is a wrong usage with its own status. Nothing was changed.
        except incident_names.Ambiguous as error:
            raise _ambiguous(error) from None

    startup.run_until_stopped(main())


def _ambiguous(error: incident_names.Ambiguous) -> typer.Exit:
    """Print the incidents that a name may refer to, and return the exit to raise."""
    print(f"incident-router: {error}:", file=sys.stderr)
    for candidate in error.candidates:
        line = f"{candidate.reference or '-':<11}  {candidate.status:<7}  {candidate.key}"
        print(f"  {terminal.plain(line)}", file=sys.stderr)
    if error.more:
        print("  …", file=sys.stderr)
    return typer.Exit(2)


async def warn_of_unreadable(router: Reached) -> None:
    """Print a warning for each incident that a list leaves out, or shows in part, because it can't be read."""
    for line in (await router.queries.incidents(limit=1)).unreadable:
        print(f"warning: can't be read: {terminal.plain(line)}; see the log for the repair", file=sys.stderr)


class Reads(Protocol[Row]):
    """Reads a page of a list: at most ``limit`` rows after ``cursor``, or the first rows if it is empty."""

    def __call__(self, *, cursor: str, limit: int) -> Awaitable[models.Page[Row]]:
        """Return the page, with the cursor of the next one."""


async def rows(read: Reads[Row], at_once: int, max_rows: int = sys.maxsize) -> AsyncIterator[Row]:
    """Yield the rows of a list in order: at most ``max_rows``, read ``at_once`` per request."""
    cursor, left = "", max_rows
    while True:
        # The last page is cut to what is still needed, because a row may be as large as a delivery.
        page = await read(cursor=cursor, limit=min(left, at_once))
        for item in page.items:
            yield item
        cursor, left = page.next, left - len(page.items)
        if not cursor or left <= 0:
            return


@contextlib.asynccontextmanager
async def _connect_locally(config: Path) -> AsyncIterator[Reached]:
    settings = startup.settings(config, configuration.StandIn("not-used", {}))
    async with processes.connect(settings) as store:
        dependencies = app.dependencies(settings, store, factories.clock, secrets.token_urlsafe)
        yield Reached(dependencies.queries, dependencies.actions)


@contextlib.asynccontextmanager
async def connect_remotely(server: str) -> AsyncIterator[Reached]:
    """Connect to the router whose console is at this URL. An invalid URL is a usage error."""
    if not _address(server):
        raise startup.usage(f'--server: "{server}" is not a URL such as http://127.0.0.1:8082')
    # A variable that was set from a file often ends with a line break, which a header can't contain.
    line = api_client.ApiClient(server, os.environ.get("INCIDENT_ROUTER_TOKEN", "").strip(), factories.clock)
    try:
        yield Reached(api_client.Queries(line), api_client.Actions(line), server)
    finally:
        await line.aclose()


def _address(server: str) -> bool:
    try:
        read = parse.urlsplit(server)
        # A query or a fragment would be lost when paths are appended.
        return read.scheme in {"http", "https"} and bool(read.hostname) and not (read.query or read.fragment)
    # The address has an invalid IPv6 literal.
    except ValueError:
        return False
