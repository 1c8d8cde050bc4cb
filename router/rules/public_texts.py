"""Renders public texts. Only declared variables reach a text, and every other problem is reported.

A template sees a variable only if its rule declares the permitted values and the value is one of them. All other
variables are absent while the template is rendered. A text that needs an absent variable is rendered anyway, together
with the reason, so that a reviewer can decide. The rule's author writes literal text, so it is never held back.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from router.domain import decisions, patterns, visible
from router.rules import leak_guard, links, public_patterns, templates

MADE_HERE = frozenset(
    {("incident", "severity"), ("incident", "reference"), ("incident", "follows"), ("incident", "opened_at")}
)
"""Variables that the router makes itself, of a fixed shape: they need no declaration."""


class PublicTexts(NamedTuple):
    """A post's fields as customers would see them, and the reasons against showing them; empty if there are none."""

    fields: dict[str, Any]
    objection: str = ""


def render(
    fields: Mapping[str, Any],
    context: Mapping[str, Any],
    allowed: Mapping[str, decisions.Allowed],
    hosts: Collection[str] = (),
) -> PublicTexts:
    """Render every text of a post. Links that contain variables may lead only to ``hosts``."""
    texts = list(templates_in(fields))
    used_variables = dict.fromkeys(variable for text in texts for variable in templates.variables(text))
    wrong = {objection: None for variable in used_variables for objection in _objections(variable, context, allowed)}
    # The reviewer sees the text as customers would see it, and decides.
    seen = context if wrong else _restrict(context, allowed)
    rendered = visible.everywhere(templates.render(fields, seen, leak_guard.BROKEN))
    for text, literal in zip(_rendered_texts(rendered, fields), texts, strict=True):
        wrong |= dict.fromkeys(_text_problems(text, literal, hosts))
    return PublicTexts(rendered, ", ".join(wrong))


def permits(allowed: decisions.Allowed, text: str) -> bool:
    """Return whether a variable may have this value."""
    if allowed.values:
        return text in allowed.values
    # These limits hold whatever the pattern allows.
    if len(text) > public_patterns.MAX_LENGTH or not public_patterns.PLAIN.issuperset(text):
        return False
    return patterns.compile(allowed.pattern).fullmatch(patterns.encode(text)) is not None


def _objections(
    variable: templates.Variable, context: Mapping[str, Any], allowed: Mapping[str, decisions.Allowed]
) -> Iterator[str]:
    name = ".".join(variable)
    text = value(variable, context)
    # An absent value reveals nothing.
    if variable in MADE_HERE or text == "":
        return
    declaration = allowed.get(name)
    if declaration is None or text is None:
        yield f"{name}, which the rule does not declare as public"
    elif not permits(declaration, text):
        yield f"{name}, which the rule does not allow"
    # Listed values were chosen by the author. A pattern may match values that the author didn't foresee.
    elif declaration.pattern:
        yield from (f"{objection} in {name}" for objection in leak_guard.value_objections(text))


def value(variable: templates.Variable, context: Mapping[str, Any]) -> str | None:
    """Return the value of a variable; empty if it is absent, None if it isn't a single text or is known only later."""
    if templates.LOOKED_UP in variable:
        return None
    at: Any = context
    for part in variable:
        at = at.get(part, "") if isinstance(at, Mapping) else None
    return at if isinstance(at, str) else None


def _restrict(context: Mapping[str, Any], allowed: Mapping[str, decisions.Allowed]) -> dict[str, Any]:
    """Return the context with permitted values only."""
    values: dict[str, Any] = {"alert": {"labels": {}, "annotations": {}}, "incident": {}, "rule": {}}
    for variable in [*MADE_HERE, *(tuple(name.split(".", 2)) for name in allowed)]:
        text = value(variable, context)
        if text is None or (variable not in MADE_HERE and not permits(allowed[".".join(variable)], text)):
            continue
        at = values
        for part in variable[:-1]:
            at = at[part]
        at[variable[-1]] = text
    return values


def _text_problems(text: str, literal: str, hosts: Collection[str]) -> Iterator[str]:
    """Yield the problems of a text that contains variables, except problems of the variables themselves."""
    if leak_guard.BROKEN in text:
        yield "a part that could not be rendered"
    # A host that the author wrote in the template itself is intended. One that a variable brings isn't.
    if any(host not in literal for host in links.foreign(text, hosts)):
        yield "a link to a host that is not allowed"


def templates_in(value: Any) -> Iterator[str]:
    """Yield every template in plain data."""
    return (text for text, _ in _pairs(value, value))


def _rendered_texts(rendered: Any, value: Any) -> Iterator[str]:
    return (str(text) for _, text in _pairs(value, rendered))


def _pairs(value: Any, other: Any) -> Iterator[tuple[str, Any]]:
    """Yield every template in plain data, with the value at the same position in other data of the same form."""
    match value:
        case str():
            if templates.is_template(value):
                yield value, other
        case Mapping():
            for key, inner in value.items():
                yield from _pairs(inner, other[visible.everywhere(key)])
        case list() | tuple():
            for inner, beside in zip(value, other, strict=True):
                yield from _pairs(inner, beside)
