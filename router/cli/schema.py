"""``schema``: prints the JSON Schema of rule files, for editors."""

import json
import sys
from typing import Annotated

import typer

from router import settings as configuration
from router.assembly import parts
from router.cli import starting
from router.rules import destination_info
from router.rules import schema as schemas


def schema(
    context: typer.Context,
    config: starting.Config = configuration.DEFAULT_FILE,
    *,
    indent: Annotated[int, typer.Option("--indent", parser=starting.integer(0, 16), help="Spaces to indent by.")] = 2,
) -> None:
    """Print the JSON Schema (draft 2020-12) of rule files, with the configured destinations.

    Where there is no configuration and none is named, rules may open anything anywhere.
    """
    source = context.get_parameter_source("config")
    destinations: destination_info.Destinations = {}
    if config.exists() or (source is not None and source.name != "DEFAULT"):
        settings = starting.settings(config, configuration.StandIn("not-used", {}))
        destinations = parts.known_destinations(settings)
    else:
        print(f"There is no {config} here: the schema leaves open where incidents appear.", file=sys.stderr)
    print(json.dumps(schemas.rule_file_schema(destinations), indent=indent or None, ensure_ascii=False))
