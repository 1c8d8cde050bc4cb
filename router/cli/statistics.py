"""``rules``: shows review outcomes by rule, and drafts declarations of public variables."""

from pathlib import Path
from typing import Annotated

import typer

from router import settings as configuration
from router.assembly import declaring, parts, replaying, running
from router.cli import reaching, starting, tables
from router.domain import recordings as recording
from router.store import review_outcomes

app = typer.Typer(help="Rule statistics, and declarations of public variables.", no_args_is_help=True)

_COLUMNS: dict[review_outcomes.Outcome, str] = {
    "approved": "approved",
    "edited": "edited",
    "dismissed": "dismissed",
    "over": "over",
    "lapsed": "deadline",
    "automatic": "auto",
    "shadow": "shadow",
    "retracted": "retracted",
}


@app.callback()
def rules() -> None:
    """Show statistics of rules."""


@app.command("stats")
def stats(
    *,
    as_json: starting.AsJson = False,
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show for every rule how often what it would publish was approved, edited, dismissed, or over before that."""

    async def body(router: reaching.Reached) -> None:
        found = await router.queries.outcomes()
        if as_json:
            starting.print_json(found)
            return
        rows = (
            (rule, *(str(counted.get(outcome, 0)) for outcome in _COLUMNS)) for rule, counted in found.rules.items()
        )
        columns = [tables.Column("rule", shrinks=True), *map(tables.Column, _COLUMNS.values())]
        tables.write(columns, rows, "no rule has had anything to publish yet")

    reaching.reach(config, server, body)


@app.command("declare")
def declare(
    rules: Annotated[Path | None, typer.Argument(help="The rule folder, if not the configured one.")] = None,
    *,
    recordings: Annotated[
        Path | None, typer.Option("--recordings", help="Deliveries of a file, as `deliveries export` writes them.")
    ] = None,
    since: Annotated[str, typer.Option("--since", help="Of those kept in Redis: only what is newer, as 2d.")] = "24h",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Write `public` for the variables that public texts use undeclared, from the values of recorded deliveries."""
    settings = starting.settings(config, configuration.StandIn("not-used", {}))
    made = starting.unless_refused(lambda: declaring.load(settings, rules or settings.rules))
    try:
        recorded = _kept(settings, starting.duration("--since", since)) if recordings is None else _read(recordings)
    except replaying.Broken as error:
        raise starting.usage(str(error)) from error
    drafts = declaring.drafts(settings, made, recorded)
    for draft in drafts:
        print("\n".join(declaring.written(draft)))
    if not drafts:
        print("every variable in a public text is declared")


def _read(file: Path) -> list[recording.Recording]:
    return list(replaying.read(file, lambda _: None))


def _kept(settings: configuration.Settings, since: int) -> list[recording.Recording]:
    found: list[recording.Recording] = []

    async def main() -> None:
        async with running.connected(running.outside_redis(settings)) as connection:
            kept = parts.archive(settings, connection).since(parts.clock() - since)
            found.extend([recording.from_delivery(one.delivery) async for one in kept])

    starting.until_stopped(main())
    return found
