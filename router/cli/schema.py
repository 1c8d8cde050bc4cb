"""``schema``: prints the JSON Schema of rule files, for editors."""

import json
import sys
from typing import Annotated

import typer

from router import configuration
from router.bootstrap import factories
from router.cli import startup
from router.rules import destination_info
from router.rules.schema import rule_file_schema


def schema(
    context: typer.Context,
    config: startup.Config = configuration.DEFAULT_FILE,
    *,
    indent: Annotated[int, typer.Option("--indent", parser=startup.integer(0, 16), help="Spaces to indent by.")] = 2,
) -> None:
    """Print the JSON Schema (draft 2020-12) of rule files, with the configured destinations.

    Without a configuration file, rules may open any destination.
    """
    source = context.get_parameter_source("config")
    destinations: destination_info.Destinations = {}
    # A file that was named explicitly must exist. Without one, an editor can still complete rules for all destinations.
    if config.exists() or (source is not None and source.name != "DEFAULT"):
        settings = startup.settings(config, configuration.StandIn("not-used", {}))
        destinations = factories.known_destinations(settings)
    else:
        # Standard output has only the schema, so that it can be redirected to a file.
        print(f"There is no {config} here, so the schema accepts any destination.", file=sys.stderr)
    print(json.dumps(rule_file_schema(destinations), indent=indent or None, ensure_ascii=False))
