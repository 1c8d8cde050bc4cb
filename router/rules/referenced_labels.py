"""Finds the labels and annotations that rules refer to.

The search visits every part of a rule, so that a new rule key needs no change here. A false positive is harmless: it
only keeps a label that could have been dropped from an oversized alert.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from router.rules import expressions, fields, model

# In templates, expressions, and names of fields: labels.service, labels["k8s.pod"], labels['k8s.pod'].
_NAMED = re.compile(r"""(?:labels|annotations)(?:\.([^\s"'={},|\[\]()]+)|\[\s*["']([^"']+)["']\s*\])""")
_QUOTED = re.compile(r""""([^"]+)"|'([^']+)'""")  # In an expression: "team" in alert.labels.


def labels(rules: Iterable[model.Rule]) -> frozenset[str]:
    """Return the names of all labels and annotations that the rules refer to."""
    return frozenset(name for rule in rules for name in _names(rule))


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _names_in_text(value)
    elif isinstance(value, fields.Field):
        yield value.key
    elif isinstance(value, expressions.Expression):
        yield from _names_in_text(value.text)
        yield from (first or second for first, second in _QUOTED.findall(value.text))
    else:
        yield from _names_in_parts(value)


def _names_in_text(text: str) -> Iterator[str]:
    for plain, quoted in _NAMED.findall(text):
        if quoted:
            yield quoted
        else:
            yield plain
            yield plain.partition(".")[0]  # A template reads labels.a.b as a path that begins with labels.a.


def _names_in_parts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _names(name)
            yield from _names(part)
    elif isinstance(value, tuple) and len(value) > 2 and isinstance(value[1], str) and value[1] in fields.NAMED:
        yield str(value[2])  # A public variable: ("alert", "labels", "region").
    elif isinstance(value, list | tuple | AbstractSet):
        for part in value:
            yield from _names(part)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _names(getattr(value, field.name))
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _names(getattr(value, name))
