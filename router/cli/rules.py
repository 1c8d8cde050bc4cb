"""``rules``: shows review outcomes by rule, and drafts declarations of public variables."""

from pathlib import Path
from typing import Annotated

import typer

from router import configuration
from router.bootstrap import factories, processes
from router.cli import router_access, startup, tables
from router.domain.recordings import Recording, from_delivery
from router.domain.times import Duration, Timestamp
from router.services import declaration_drafts, replay_processes
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
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show for every rule how often what it would publish was approved, edited, dismissed, or over before that."""

    async def body(router: router_access.Reached) -> None:
        outcomes = await router.queries.outcomes()
        if as_json:
            startup.print_json(outcomes)
            return
        rows = (
            (rule, *(str(counted.get(outcome, 0)) for outcome in _COLUMNS)) for rule, counted in outcomes.rules.items()
        )
        columns = [tables.Column("rule", shrinks=True), *map(tables.Column, _COLUMNS.values())]
        tables.write(columns, rows, "no rule has published a post yet")

    router_access.reach(config, server, body)


@app.command("declare")
def declare(
    rules: Annotated[Path | None, typer.Argument(help="The rule folder, if not the configured one.")] = None,
    *,
    recordings: Annotated[
        Path | None, typer.Option("--recordings", help="A file of deliveries from `deliveries export`.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", help="The maximum age of deliveries from Redis, such as 2d.")
    ] = "24h",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Write `public` for the variables that public texts use undeclared, from the values of recorded deliveries."""
    settings = startup.settings(config, configuration.StandIn("not-used", {}))
    # The rules can't be loaded as usual: an undeclared variable is an error, and this command writes its declaration.
    rule_set = startup.unless_refused(lambda: declaration_drafts.load_undeclared(settings, rules or settings.rules))
    try:
        recorded_alerts = (
            _read_archive(settings, startup.duration("--since", since))
            if recordings is None
            else _read_file(recordings)
        )
    except replay_processes.Broken as error:
        raise startup.usage(str(error)) from error
    drafts = declaration_drafts.drafts(settings, rule_set, recorded_alerts)
    for draft in drafts:
        print("\n".join(declaration_drafts.render(draft)))
    if not drafts:
        print("every variable in a public text is declared")


def _read_file(file: Path) -> list[Recording]:
    return list(replay_processes.read(file, lambda _: None))


def _read_archive(settings: configuration.Settings, within: Duration) -> list[Recording]:
    recordings: list[Recording] = []

    async def main() -> None:
        async with processes.connect(settings) as store:
            archived = store.archive.since(Timestamp(factories.clock() - within))
            recordings.extend([from_delivery(recording.delivery) async for recording in archived])

    startup.run_until_stopped(main())
    return recordings
