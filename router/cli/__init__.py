"""The commands of ``incident-router``; one module a command."""

from typing import Annotated

import typer

from router import __version__
from router.cli import lazy, terminal
from router.cli.lazy import Entry

COMMANDS = {
    "run": Entry(
        "run",
        "run",
        "Start web and worker in one process, on an embedded Valkey where no REDIS_URL is set.",
    ),
    "web": Entry("run", "web", "Start the door for webhooks and the console, without a worker."),
    "worker": Entry("run", "worker", "Start a worker alone."),
    "simulate": Entry(
        "simulate", "simulate", "Start the simulated vendors alone, for trying the router's settings against them."
    ),
    "soak": Entry(
        "soak",
        "soak",
        "Run two webs, three workers, a Valkey and simulated vendors under load, and kill them now and then.",
    ),
    "demo": Entry(
        "demo", "demo", "Tell a story: an alert storm becomes one incident, escalates, is published, and resolves."
    ),
    "check": Entry("check", "check", "Check the configuration and the rules: every problem as file:line:column."),
    "test": Entry("trials", "trials", "Run the tests of the rule files."),
    "explain": Entry("explain", "explain", "Explain what the rules say of a payload. Nothing is sent anywhere."),
    "replay": Entry(
        "replay",
        "replay",
        "Play recorded deliveries under two sets of rules; show the incidents and posts that appear, vanish or change.",
    ),
    "schema": Entry(
        "schema",
        "schema",
        "Print the JSON Schema (draft 2020-12) of rule files, with the configured destinations and their fields.",
    ),
    "backup": Entry(
        "backups", "back_up", "Copy everything that the router keeps in Redis to a file, also while the router runs."
    ),
    "restore": Entry(
        "backups", "restore", "Restore a backup into an empty Redis. Stop every `web` and `worker` first."
    ),
    "freeze": Entry(
        "gates",
        "freeze",
        "Post nothing at any public page, not even resolutions, until `thaw`. Calls that are under way end.",
    ),
    "thaw": Entry("gates", "thaw", "Post at public pages again: what is to be shown by now, at once."),
    "breaker": Entry("gates", "app", "What turned automatic posts into reviews, because there were too many."),
    "dead-letters": Entry("dead_letters", "app", "What can't succeed without a person."),
    "heartbeats": Entry("heartbeats", "app", "Signals that have to be received regularly."),
    "incidents": Entry("incidents", "app", "Incidents, and what happened to them."),
    "notifiers": Entry("notifiers", "app", "Where operators hear about incidents and reviews."),
    "orphans": Entry(
        "orphans",
        "app",
        "Open items at vendors that belong to no known incident, since data was lost.",
    ),
    "pauses": Entry("pauses", "app", "What holds calls to vendors back: rate limits, circuit breakers, quotas."),
    "sources": Entry("sources", "app", "Where alerts come from: what is configured, and what to paste."),
    "rules": Entry("statistics", "app", "How rules fare."),
    "silences": Entry("silences", "app", "Silences: matching alerts open no incidents for a time."),
    "tokens": Entry("tokens", "tokens", "Who may use the console and the API."),
    "deliveries": Entry("deliveries", "app", "Deliveries that were processed lately."),
    "quarantine": Entry("quarantine", "app", "Authentic bodies that could not be read."),
    "reviews": Entry("reviews", "app", "What waits for a person before customers see it."),
}

app = typer.Typer(
    name="incident-router",
    cls=lazy.group(COMMANDS),
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


def main() -> None:
    """The program's entry point."""
    with terminal.checked_output():
        app()
