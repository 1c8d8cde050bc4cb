"""Tags of senders as labels: whichever way they are written down, rules see a name and a value."""

from collections.abc import Iterator
from typing import Any

import msgspec

from router.sources import objects, repeated

_decode = msgspec.json.Decoder().decode


def labels(value: Any) -> dict[str, str]:
    """Labels out of a list of tags: texts (``name:value``, or ``name`` alone), or objects with a tag and its value.

    The list may be one text with commas between the tags, or one with the list as JSON in it. A tag without a value
    is ``"true"``; of one that is there several times the values are joined by commas.
    """
    return repeated.joined((name, text or "true") for name, text in _pairs(_opened(value)))


def _opened(value: Any) -> list[Any]:
    if isinstance(value, str):
        value = _listed(value)
    return value if isinstance(value, list) else []


def _listed(text: str) -> Any:
    if text.lstrip().startswith("["):
        try:
            return _decode(text.encode())
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return []
    return text.split(",")


def _pairs(tags: list[Any]) -> Iterator[tuple[str, str]]:
    for tag in tags:
        if isinstance(tag, dict):
            name, value = objects.scalar(tag.get("tag") or tag.get("name")), objects.scalar(tag.get("value"))
        else:
            name, colon, value = objects.scalar(tag).partition(":")
            if colon and not name.strip():
                name, value = value, ""
        if name.strip():
            yield name.strip(), value.strip()
