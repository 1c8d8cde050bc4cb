"""A lint warning about a rule, and what warnings can be held against."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from router.rules import model


class LintWarning(NamedTuple):
    """One warning about a rule: what it says, and where in the rule."""

    rule: model.Rule
    message: str
    path: tuple[str | int, ...] = ()


Limits = Mapping[str, Mapping[str, int]]
"""The most characters of a field, by destination and field."""


class LintContext(NamedTuple):
    """What is known of the world outside the rules: sources' names, and labels with how often they were seen.

    No labels at all means that nothing is known of them. ``repeating`` are the sources that repeat what still fires, so
    that a dropped alert comes again. ``limits`` are the most characters that a destination takes of a field.
    """

    sources: Collection[str] = ()
    labels: Collection[str] = ()
    repeating: Collection[str] = ()
    limits: Limits = MappingProxyType({})


NOTHING = LintContext()
"""Nothing is known."""
