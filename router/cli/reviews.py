"""``reviews``: what waits for a person before it is shown to customers, and its approval."""

import getpass
import shlex
import textwrap
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from router import settings as configuration
from router.assembly import parts, running
from router.cli import starting
from router.worker import reviews as reviewing

app = typer.Typer(help="What waits for a person before customers see it.", no_args_is_help=True)


@app.command("list")
def show(config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """List what waits, with the text as customers would see it."""

    async def body(reviews: reviewing.Reviews) -> None:
        found = await reviews.waiting()
        if not found:
            print("nothing waits for review")
        for one in found:
            since = datetime.fromtimestamp(one.since / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            print(f"{one.incident}  {one.severity} since {since}, by rule {one.rule}")
            print(f"  would be shown at {one.destination}:")
            print(textwrap.indent(f"{one.title}\n{one.message}", "    "))
            for line in one.because:
                print(f"  because {line}")
            for name, said in (("owner", one.owner), ("runbook", one.runbook)):
                if said:
                    print(f"  {name}: {said}")
            command = shlex.join(["incident-router", "reviews", "approve", one.incident, one.destination])
            print(f"  to show it: {command}\n")

    _with_reviews(config, body)


@app.command("approve")
def approve(
    incident: Annotated[str, typer.Argument(help="The incident's key, as `reviews list` shows it.")],
    page: Annotated[str, typer.Argument(help="The destination to publish at.")],
    *,
    by: Annotated[str, typer.Option("--by", help="Who approves; your login name where it is left out.")] = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Let what waits be shown at one page. Status 1 where nothing waits there (any more)."""

    async def body(reviews: reviewing.Reviews) -> None:
        who = by or getpass.getuser()
        review = await reviews.approve(incident, page, who)
        if review is None:
            print(f'nothing of incident "{incident}" waits for review at "{page}"')
            raise typer.Exit(1)
        print(f'approved by {who}: "{review.title}" is published at "{page}"')

    _with_reviews(config, body)


def _with_reviews(config: Path, body: Callable[[reviewing.Reviews], Awaitable[None]]) -> None:
    async def main() -> None:
        settings = starting.settings(config, configuration.StandIn("not-used", {}))
        async with running.connected(running.outside_redis(settings)) as connection:
            await body(parts.reviews(settings, connection))

    starting.until_stopped(main())
