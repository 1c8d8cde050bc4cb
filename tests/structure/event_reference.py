"""Generate the reference of events, `docs/reference/events.md`, and their JSON Schema; `make golden` writes both."""

import json
from pathlib import Path

from router.domain import events
from router.notifiers import event_schema

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "events.md"
SCHEMA = PAGE.with_name("events.schema.json")
_HEAD = """# Events

<!-- Generated from router/domain/events.py by `make golden`. -->

Each event has a type, belongs to a topic that [notifiers](../how-to/notifiers/index.md) subscribe to, and has the
members below. [events.schema.json](events.schema.json) is the JSON Schema of all types. A later version may add members
and types.

"""


def page() -> str:
    """Return the reference page."""
    definitions = event_schema.schema()["$defs"]
    names = {kind.__name__: str(kind.__struct_config__.tag) for kind in events.TYPES}
    overview = ["| type | topic | what happened |", "| --- | --- | --- |"]
    overview += [
        f"| [`{tag}`](#{_anchor(tag)}) | {_topic(tag)} | {_first_sentence(definitions[name]['description'])} |"
        for name, tag in names.items()
    ]
    parts = [_section(tag, definitions[name]) for name, tag in names.items()]
    shared = [_section(name, part) for name, part in definitions.items() if name not in names]
    return _HEAD + "\n".join(overview) + "\n" + "".join(parts) + "".join(shared)


def _first_sentence(text: str) -> str:
    return text.split(". ", maxsplit=1)[0].rstrip(".")


def _topic(tag: str) -> str:
    return f"`{events.TOPICS[tag]}`" if tag in events.TOPICS else ""


def _anchor(tag: str) -> str:
    return tag.replace(".", "")


def _section(name: str, part: dict) -> str:
    rows = [
        f"| `{member}` | {_kind(schema)} | {'yes' if member in part.get('required', ()) else 'no'} |"
        for member, schema in part["properties"].items()
        if member != "type"
    ]
    table = "\n".join(["| member | type | always present |", "| --- | --- | --- |", *rows])
    return f"\n## {name}\n\n{part['description']}\n\n{table}\n"


def _kind(schema: dict) -> str:
    """Describe a type in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value)
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    if schema.get("format") == "date-time":
        return "time (RFC 3339)"
    return str(schema.get("type", "any"))


def schema() -> str:
    """Return the JSON Schema as text."""
    return json.dumps(event_schema.schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
