"""The banner of a started process: webhook URLs, the console, and a command to try."""

import json
import os
import signal
import sys
from typing import NamedTuple

from rich import console as consoles
from rich import table

from router import __version__, configuration
from router.bootstrap import processes
from router.cli import terminal
from router.telemetry import log

_EXAMPLE = {
    "title": "Checkout answers 5xx",
    "status": "firing",
    "severity": "critical",
    "labels": {"service": "checkout", "severity": "critical", "region": "eu"},
}


class Trial(NamedTuple):
    """A first try: the address of the simulated vendors, and the console's token."""

    simulator: str
    token: str


def print_started(role: str, router: processes.Running, console_url: str, trial: Trial | None = None) -> None:
    """Print the addresses of webhooks and console, and the active rules; in a first try, a command to try, too."""
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
    # A log collector has the addresses from the event above. The table would be unreadable lines of its log.
    if trial is None and not _has_reader(router.settings.log.format):
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
    # Not with real API keys: the command contains the webhook token, which must not appear in a log.
    if trial is not None:
        _print_trial(out, router, trial.token)


def _has_reader(format_: str) -> bool:
    """Return whether a person reads standard output. A log collector parses a container's output as log lines."""
    return format_ == "console" or sys.stdout.isatty()


def _print_trial(out: consoles.Console, router: processes.Running, token: str) -> None:
    for name, secret in router.settings.made_up.items():
        out.print(f"{name} is not set; made up for it: {secret}", soft_wrap=True, highlight=False, markup=False)
    # The lines below aren't wrapped by Rich, so that a command or a token can be copied as one line.
    if command := example(router):
        out.print('\nTry it: this opens an incident; the same with "status":"resolved" ends it.\n')
        out.print(command, soft_wrap=True, highlight=False, markup=False)
    if token:
        out.print(
            f"\nSign in to the console with this token:\n\n{token}", soft_wrap=True, highlight=False, markup=False
        )
    out.print("\nCtrl-C stops everything.", style="dim")


def example(router: processes.Running) -> str:
    """Return a curl command that opens an incident; empty without a source of kind ``json``."""
    name = next((name for name, config in router.settings.sources.items() if config.kind == "json"), None)
    if name is None:
        return ""
    # A source accepts each of its secrets, so the command has any of them.
    bearer = router.settings.sources[name].bearer
    auth = (
        f" -H {_quote(f'Authorization: Bearer {_format_secret(router, bearer[0].get_secret_value())}')}"
        if bearer
        else ""
    )
    body = json.dumps(_EXAMPLE, separators=(",", ":"))
    return f"curl -sS{auth} {router.address.url}/v1/webhooks/{name} -d '{body}'"


def _format_secret(router: processes.Running, secret: str) -> str:
    """Return a secret that was generated for this run, or the environment variable that holds a configured one."""
    if secret in router.settings.made_up.values():
        return secret
    # The banner may end up in a log, so a configured secret is never printed. Sorting makes the choice of a variable
    # stable.
    return "$" + next((name for name, value in sorted(os.environ.items()) if value == secret), "TOKEN")


def _quote(text: str) -> str:
    """Quote a text for a shell, which expands variables in it."""
    return f'"{text}"' if "$" in text else f"'{text}'"


def log_stopping(number: signal.Signals) -> None:
    """Log that the process has received a signal to stop, and finishes its work."""
    log.get("process").info("stopping", signal=number.name)


def print_worker_started(settings: configuration.Settings, address: processes.Address) -> None:
    """Log and print the address of a worker's probes."""
    readiness, metrics = f"{address.url}/readyz", f"{address.url}/metrics"
    log.get("process").info("started", role="worker", version=__version__, readiness=readiness, metrics=metrics)
    if _has_reader(settings.log.format):
        terminal.console().print(f"worker started; health at {readiness}, metrics at {metrics}", soft_wrap=True)
