"""``schema``: the JSON Schema of rule files, for editors."""

import json
from typing import Annotated

import typer

from router import settings as configuration
from router.assembly import parts
from router.cli import starting
from router.rules import schema as schemas


def schema(
    config: starting.Config = configuration.DEFAULT_FILE,
    *,
    indent: Annotated[int, typer.Option("--indent", min=0, help="Spaces to indent by.")] = 2,
) -> None:
    """Print the JSON Schema (draft 2020-12) of rule files, with the configured destinations and their fields."""
    settings = starting.settings(config, configuration.StandIn("not-used", {}))
    print(json.dumps(schemas.schema(parts.known_destinations(settings)), indent=indent or None, ensure_ascii=False))
