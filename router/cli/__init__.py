"""The commands of ``incident-router``; one module a command."""

from typing import Annotated

import typer

from router import __version__
from router.cli import (
    backups,
    check,
    contracts,
    dead_letters,
    deliveries,
    demo,
    explain,
    gates,
    heartbeats,
    incidents,
    orphans,
    pauses,
    quarantine,
    replay,
    reviews,
    run,
    schema,
    silences,
    simulate,
    soak,
    sources,
    statistics,
    terminal,
    tokens,
    trials,
)

app = typer.Typer(
    name="incident-router",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"incident-router {__version__}")
        raise typer.Exit


@app.callback()
def prepare(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback prints it
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Route monitoring alerts to incidents and public status pages, and explain every decision."""
    context.with_resource(terminal.guard())


app.command("run")(run.run)
app.command("web")(run.web)
app.command("worker")(run.worker)
app.command("simulate")(simulate.simulate)
app.command("soak")(soak.soak)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("test")(trials.trials)
app.command("explain")(explain.explain)
app.command("replay")(replay.replay)
app.command("schema")(schema.schema)
app.command("backup")(backups.back_up)
app.command("restore")(backups.restore)
app.command("freeze")(gates.freeze)
app.command("thaw")(gates.thaw)
app.add_typer(gates.app, name="breaker")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(heartbeats.app, name="heartbeats")
app.add_typer(incidents.app, name="incidents")
app.add_typer(orphans.app, name="orphans")
app.add_typer(pauses.app, name="pauses")
app.add_typer(sources.app, name="sources")
app.add_typer(statistics.app, name="rules")
app.add_typer(silences.app, name="silences")
app.add_typer(tokens.tokens, name="tokens")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(reviews.app, name="reviews")
contracts.apply(app)


def main() -> None:
    """The program's entry point."""
    with terminal.checked_output():
        app()
