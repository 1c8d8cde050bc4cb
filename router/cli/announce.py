"""The banner of a started process: webhook URLs, the console, and a command to try."""

import json
import os
import signal
import sys
from typing import NamedTuple

from rich import console as consoles
from rich import table

from router import __version__
from router import settings as configuration
from router.assembly import running
from router.cli import terminal
from router.telemetry import log

_EXAMPLE = {
    "title": "Checkout answers 5xx",
    "status": "firing",
    "severity": "critical",
    "labels": {"service": "checkout", "severity": "critical", "region": "eu"},
}


class Trial(NamedTuple):
    """A first try: where the simulated vendors are, and the console's token."""

    simulator: str
    token: str


def started(role: str, router: running.Running, console_url: str, trial: Trial | None = None) -> None:
    """Say where webhooks are received, where the console is, and which rules are in force; of a trial, what to try."""
    log.get("process").info(
        "started",
        role=role,
        version=__version__,
        webhooks=f"{router.address.url}/v1/webhooks/",
        sources=list(router.settings.sources),
        console=f"{console_url}/",
        readiness=f"{router.health.url}/readyz",
        metrics=f"{router.health.url}/metrics",
        rules_version=router.rules.version,
    )
    if trial is None and not _is_read(router.settings.log.format):
        return
    out = terminal.console()
    grid = table.Table.grid(padding=(0, 2))
    for name in router.settings.sources:
        grid.add_row("webhook", f"[bold]{router.address.url}/v1/webhooks/{terminal.markup(name)}[/]")
    grid.add_row("readiness", f"{router.health.url}/readyz")
    grid.add_row("metrics", f"{router.health.url}/metrics")
    grid.add_row("rules", f"{terminal.markup(str(router.settings.rules))} (version {router.rules.version})")
    grid.add_row("console", f"[bold]{console_url}/[/]")
    if trial is not None and router.settings.simulated:
        names = ", ".join(sorted(router.settings.simulated))
        grid.add_row("simulated", f"{terminal.markup(names)}: no keys are set")
        grid.add_row("status pages", f"[bold]{trial.simulator}/[/]")
    out.print(grid)
    if trial is not None:  # Nobody tries things on a router that has real keys, and no log shall hold its token.
        _try(out, router, trial.token)


def _is_read(format_: str) -> bool:
    """Whether people read standard output: a log collector parses that of a container as lines of the log."""
    return format_ == "console" or sys.stdout.isatty()


def _try(out: consoles.Console, router: running.Running, token: str) -> None:
    for name, secret in router.settings.made_up.items():
        out.print(f"{name} is not set; made up for it: {secret}", soft_wrap=True, highlight=False, markup=False)
    if command := example(router):
        out.print('\nTry it: this opens an incident; the same with "status":"resolved" ends it.\n')
        out.print(command, soft_wrap=True, highlight=False, markup=False)
    if token:
        out.print(
            f"\nSign in to the console with this token:\n\n{token}", soft_wrap=True, highlight=False, markup=False
        )
    out.print("\nCtrl-C stops everything.", style="dim")


def example(router: running.Running) -> str:
    """A curl that opens an incident, where a source of kind ``json`` is there to take it."""
    name = next((name for name, config in router.settings.sources.items() if config.kind == "json"), None)
    if name is None:
        return ""
    bearer = router.settings.sources[name].bearer
    auth = f" -H {_quoted(f'Authorization: Bearer {_shown(router, bearer[0].get_secret_value())}')}" if bearer else ""
    body = json.dumps(_EXAMPLE, separators=(",", ":"))
    return f"curl -sS{auth} {router.address.url}/v1/webhooks/{name} -d '{body}'"


def _shown(router: running.Running, secret: str) -> str:
    """Return a secret that was generated for this run; of a configured one, the environment variable that holds it."""
    if secret in router.settings.made_up.values():
        return secret
    return "$" + next((name for name, value in sorted(os.environ.items()) if value == secret), "TOKEN")


def _quoted(text: str) -> str:
    """A text for a shell, which fills in a variable that is named in it."""
    return f'"{text}"' if "$" in text else f"'{text}'"


def stopping(number: signal.Signals) -> None:
    """Log that the process has been told to stop, and finishes its work."""
    log.get("process").info("stopping", signal=number.name)


def working(settings: configuration.Settings, address: running.Address) -> None:
    """Say where a worker answers for its health."""
    readiness, metrics = f"{address.url}/readyz", f"{address.url}/metrics"
    log.get("process").info("started", role="worker", version=__version__, readiness=readiness, metrics=metrics)
    if _is_read(settings.log.format):
        terminal.console().print(f"worker started; health at {readiness}, metrics at {metrics}", soft_wrap=True)
