"""``check``: whether the configuration and the rules can be used, and every reason why not."""

from pathlib import Path
from typing import Annotated

import typer

from router import settings as configuration
from router.assembly import parts
from router.cli import starting
from router.rules import check as rule_check


def check(
    rules: Annotated[Path | None, typer.Argument(help="The rule folder, if not the configured one.")] = None,
    *,
    config: starting.Config = configuration.DEFAULT_FILE,
    simulate: Annotated[bool, typer.Option("--simulate", help="Do not ask for vendors' keys.")] = False,
) -> None:
    """Check the configuration and the rules; print every problem as file:line:column. Status 1 if there are any."""
    stand_in = configuration.StandIn("not-used", {}) if simulate else None
    settings = starting.settings(config, stand_in)
    found = rule_check.check(rules or settings.rules, parts.known_destinations(settings))
    if found:
        raise starting.refuse(f"{len(found)} problem{'s' if len(found) > 1 else ''} in the rules.", found)
    loaded = parts.load_rules(settings) if rules is None else None
    count = f": {len(loaded.rules)} rules, version {loaded.version}" if loaded else ""
    print(f"no problems found{count}")
