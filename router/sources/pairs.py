"""Lists of tags, and of pairs of a name and a value, as labels. Rules see the same labels for every notation.

======================================================  ==============================
``["env:prod", "team=web", "critical"]``                 ``env: prod, team: web, critical: "true"``
``"env:prod, critical"``, or the list as JSON in a text  the same, by the commas
``[{"key": "env", "value": "prod"}]``                    the name may also be ``name``, ``label``, ``tag``, ``k``
``[{"key": "env", "value": {"stringValue": "prod"}}]``   as OpenTelemetry writes values
``[{"env": "prod"}]``                                    one member: its name and its value
``'{"env": "prod"}'``, an object as a text                each member: its name and its value
======================================================  ==============================
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from router.domain.undecodable import Undecodable
from router.sources import objects, paths, repeated

_NAMES = ("key", "name", "label", "tag", "k")
_VALUES = ("value", "v")
_TYPED = ("stringValue", "intValue", "doubleValue", "boolValue")
_SEPARATOR = re.compile(r"[:=]")

_decode = msgspec.json.Decoder().decode


def labels(value: Any) -> dict[str, str]:
    """Return labels from a list of tags or pairs, or from a text with such a list; empty for any other value.

    A tag without a value is ``"true"``. The values of a repeated name are joined by commas.
    """
    return repeated.join_values((name, text or "true") for name, text in _pairs(_read_items(value)))


def _read_items(value: Any) -> list[Any]:
    if isinstance(value, str):
        value = _split(value)
        if isinstance(value, dict):
            return [{"key": name, "value": item} for name, item in value.items()]
    return value if isinstance(value, list) else []


def _split(text: str) -> Any:
    if text.lstrip().startswith(("[", "{")):
        try:
            return _decode(text.encode())
        except (UnicodeEncodeError, *Undecodable):
            return []
    return text.split(",")


def _pairs(tags: list[Any]) -> Iterator[tuple[str, str]]:
    for tag in tags:
        name, value = _read_pair(tag) if isinstance(tag, dict) else _split_tag(objects.scalar(tag))
        if name.strip():
            yield name.strip(), value.strip()


def _split_tag(tag: str) -> tuple[str, str]:
    """Split a tag into name and value at the first ``:`` or ``=``."""
    # Only the first separator counts, because values such as URLs contain further ones.
    match = _SEPARATOR.search(tag)
    if match is None:
        return tag, ""
    name, value = tag[: match.start()], tag[match.end() :]
    # A tag such as ":critical" has no name, so its text is the name.
    return (name, value) if name.strip() else (value, "")


def _read_pair(pair: objects.Members) -> tuple[str, str]:
    name = next(filter(None, (objects.scalar(pair.get(key)) for key in _NAMES)), "")
    if name:
        return name, _text(next((pair[key] for key in _VALUES if key in pair), None))
    # With several members and no known name, it is unclear which of them is the name.
    if len(pair) == 1:
        ((name, value),) = pair.items()
        return name, _text(value)
    return "", ""


def _text(value: Any) -> str:
    if isinstance(value, dict):
        # OpenTelemetry wraps each value in an object that names its type.
        value = next((value[kind] for kind in _TYPED if kind in value), value)
    return paths.text(value)
