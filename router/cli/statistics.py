"""``rules stats``: how the reviews of each rule ended, the ground on which it may be let to publish by itself."""

import typer
from rich import table

from router import settings as configuration
from router.cli import reaching, starting
from router.store import counts

app = typer.Typer(help="How rules fare.", no_args_is_help=True)

_COLUMNS: dict[counts.Outcome, str] = {
    "approved": "approved",
    "edited": "edited",
    "dismissed": "dismissed",
    "over": "over before anyone acted",
    "lapsed": "at the deadline",
    "automatic": "automatic",
    "shadow": "shadow",
}


@app.callback()
def rules() -> None:
    """How rules fare."""


@app.command("stats")
def stats(*, server: starting.Server = "", config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """Show for every rule how often what it would publish was approved, edited, dismissed, or over before that."""

    async def body(router: reaching.Reached) -> None:
        found = (await router.ask.outcomes()).rules
        numbers = [table.Column(name, justify="right") for name in _COLUMNS.values()]
        rows = ((rule, *(str(counted.get(outcome, 0)) for outcome in _COLUMNS)) for rule, counted in found.items())
        starting.print_table((table.Column("rule"), *numbers), rows, "no rule has had anything to publish yet")

    reaching.reach(config, server, body)
