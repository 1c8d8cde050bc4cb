"""Lint warnings, and the information beyond the rules that they are based on."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from router.rules import model


class LintWarning(NamedTuple):
    """A warning about a rule: the message, and the path in the rule."""

    rule: model.Rule
    message: str
    path: tuple[str | int, ...] = ()


Limits = Mapping[str, Mapping[str, int]]
"""The most characters of a field, by destination and field."""


class LintContext(NamedTuple):
    """The information that the linter has beyond the rules: the names of sources, and labels with their frequency.

    If ``labels`` is empty, no labels are known. ``repeating`` are the sources that repeat firing alerts, so that a
    dropped alert is received again. ``limits`` are the maximum lengths, in characters, of a destination's fields.
    """

    sources: Collection[str] = ()
    labels: Collection[str] = ()
    repeating: Collection[str] = ()
    limits: Limits = MappingProxyType({})


NOTHING = LintContext()
"""Nothing is known."""
