"""The JSON Schema of events, generated from their types."""

from typing import Any

import msgspec

from router.domain import events


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the ``data`` of all events."""
    schemas, definitions = msgspec.json.schema_components(events.TYPES, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events of incident-router",
        "oneOf": list(schemas),
        "$defs": {name: _plain(part) for name, part in sorted(definitions.items())},
    }


def _plain(part: dict[str, Any]) -> dict[str, Any]:
    """Return a definition with its description in one line, without the markup of docstrings."""
    description = " ".join(str(part.get("description", "")).split()).replace("``", "")
    return {**part, "description": description}
