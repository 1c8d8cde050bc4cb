"""The commands of ``incident-router``, one module per command."""

from typing import Annotated

import typer

from router import __version__
from router.cli import lazy, terminal
from router.cli.lazy import CommandEntry

COMMANDS = {
    "run": CommandEntry(
        "run", "run", "Run web and worker in one process. Without REDIS_URL, an embedded Valkey starts."
    ),
    "web": CommandEntry("run", "web", "Run the webhook server and the console, without a worker."),
    "worker": CommandEntry("run", "worker", "Run a worker."),
    "simulate": CommandEntry("simulate", "simulate", "Run only the simulated vendors, to try settings against them."),
    "demo": CommandEntry(
        "demo", "demo", "Run a demo: an alert storm becomes one incident, escalates, is published, and resolves."
    ),
    "check": CommandEntry(
        "check", "check", "Check the configuration and the rules. Print every problem as file:line:column."
    ),
    "test": CommandEntry("rule_tests", "run", "Run the tests of the rule files."),
    "explain": CommandEntry("explain", "explain", "Explain what the rules decide for a payload. Nothing is sent."),
    "schema": CommandEntry(
        "schema", "schema", "Print the JSON Schema (draft 2020-12) of rule files, with the configured destinations."
    ),
    "backup": CommandEntry(
        "backups", "back_up", "Copy all data of the router in Redis to a file. The router may be running."
    ),
    "restore": CommandEntry(
        "backups", "restore", "Restore a backup into an empty Redis. Stop every `web` and `worker` first."
    ),
    "dead-letters": CommandEntry("dead_letters", "app", "Operations and deliveries that need an operator."),
    "heartbeats": CommandEntry("heartbeats", "app", "Signals that have to be received regularly."),
    "incidents": CommandEntry("incidents", "app", "Incidents and their timelines."),
    "notifiers": CommandEntry("notifiers", "app", "Channels that notify operators of incidents and reviews."),
    "orphans": CommandEntry(
        "orphans", "app", "Open items at vendors that belong to no known incident since data was lost."
    ),
    "pauses": CommandEntry("pauses", "app", "Pauses of calls to vendors: rate limits, circuit breakers, and quotas."),
    "publishing": CommandEntry("publishing", "app", "Stop and resume posts on public pages."),
    "sources": CommandEntry("sources", "app", "Sources of alerts: their configuration, snippets, and samples."),
    "rules": CommandEntry("rules", "app", "Rule statistics, and declarations of public variables."),
    "silences": CommandEntry("silences", "app", "Silences: matching alerts open no incidents for a time."),
    "tokens": CommandEntry("tokens", "tokens", "Tokens for the console and the API."),
    "deliveries": CommandEntry("deliveries", "app", "Deliveries that the router has processed."),
    "quarantine": CommandEntry("quarantine", "app", "Authentic bodies that could not be parsed."),
    "reviews": CommandEntry("reviews", "app", "Posts that wait for a review before they are published."),
}

app = typer.Typer(
    name="incident-router",
    cls=lazy.group(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_requested: bool) -> None:
    if is_requested:
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
    # Every command prints texts of senders and vendors, so their escaping is set up once for all commands.
    context.with_resource(terminal.guard())


def main() -> None:
    """The program's entry point."""
    # Typer prints its own help and errors, so the check of the output has to enclose the whole program.
    with terminal.checked_output():
        app()
