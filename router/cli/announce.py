"""What a person is told when something has started: where to send webhooks, where to look, what to try."""

import json

from rich import table

from router.assembly import running
from router.cli import terminal

_EXAMPLE = {
    "title": "Checkout answers 5xx",
    "status": "firing",
    "severity": "critical",
    "labels": {"service": "checkout", "severity": "critical", "region": "eu"},
}


def started(router: running.Running, simulator: str | None, console_url: str, token: str = "") -> None:
    """Say where door and console are, which rules are in force, where simulated pages are, and what to try."""
    out = terminal.console()
    grid = table.Table.grid(padding=(0, 2))
    for name in router.settings.sources:
        grid.add_row("webhook", f"[bold]{router.address.url}/v1/webhooks/{terminal.markup(name)}[/]")
    grid.add_row("readiness", f"{router.address.url}/readyz")
    grid.add_row("metrics", f"{router.address.url}/metrics")
    grid.add_row("rules", f"{terminal.markup(str(router.settings.rules))} (version {router.rules.version})")
    grid.add_row("console", f"[bold]{console_url}/[/]")
    if simulator is not None and router.settings.simulated:
        names = ", ".join(sorted(router.settings.simulated))
        grid.add_row("simulated", f"{terminal.markup(names)}: no keys are set")
        grid.add_row("status pages", f"[bold]{simulator}/[/]")
    out.print(grid)
    if simulator is None:
        return  # Nobody tries things on a router that has real keys, and no log shall hold its token.
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
    """A secret if it was made up here; a configured one is the operator's, and is named instead."""
    return secret if secret in router.settings.made_up.values() else "$TOKEN"


def _quoted(text: str) -> str:
    """A text for a shell, which fills in a variable that is named in it."""
    return f'"{text}"' if "$" in text else f"'{text}'"


def working(address: running.Address) -> None:
    """Say where a worker answers for its health."""
    terminal.console().print(f"worker started; health at {address.url}/readyz, metrics at {address.url}/metrics")
