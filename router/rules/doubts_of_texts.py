"""Lint warnings about texts that are compared or shown as they are written, and probably not meant so."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.rules import doubt, endings, groups, model, words
from router.rules.conditions import condition, contains, ends_with, equal, in_list, negation, one_of, starts_with

_QUOTES = "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}" + (
    "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{SINGLE LOW-9 QUOTATION MARK}"
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}"
)
_LISTED = 8  # Texts of a condition that are looked at.
_TEXTS = (equal.Equal, one_of.OneOf, in_list.InList)


def of(rule: model.Rule) -> Iterator[doubt.Doubt]:
    """Every doubt about the texts of a rule."""
    for field, one in _all(rule.conditions, rule.beside.grouped):
        path = ("when", field)
        for text in _texts(one):
            yield from _quoted(rule, text, path)
        if isinstance(one, _TEXTS):
            yield from _pattern(rule, one.values or frozenset(), field)
            if field in {"severity", "labels.severity"}:
                yield from _wrong_case(rule, one.values or frozenset(), field)
    for index, target in enumerate(rule.targets):
        for name, text in _shown(target.fields):
            yield from _quoted(rule, text, ("open", index, name))
        for name, text in endings.texts(target).items():
            yield from _quoted(rule, text, ("open", index, "resolve", name))


def _all(
    asked: tuple[groups.Asked, ...], grouped: tuple[groups.Group, ...]
) -> Iterator[tuple[str, condition.Condition]]:
    for field, one in asked:
        yield field.name, one
        if isinstance(one, negation.Not):
            yield from ((field.name, inner) for inner in one.inside)
    for group in grouped:
        for member in group.members:
            yield from _all(member.asked, member.groups)


def _texts(one: condition.Condition) -> list[str]:
    if isinstance(one, _TEXTS):
        return sorted(one.values or ())[:_LISTED]
    if isinstance(one, starts_with.StartsWith | ends_with.EndsWith | contains.Contains):
        return list(one.wanted)[:_LISTED]
    return []


def _shown(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, str):
            yield name, value


def _quoted(rule: model.Rule, text: str, path: tuple[str | int, ...]) -> Iterator[doubt.Doubt]:
    if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        yield doubt.Doubt(
            rule,
            f'the typographic quotes are part of the text {text}; YAML knows only straight ones: "{text[1:-1]}"',
            path,
        )


def _pattern(rule: model.Rule, texts: frozenset[str], field: str) -> Iterator[doubt.Doubt]:
    for text in sorted(texts)[:_LISTED]:
        if ".*" in text or ".+" in text:
            meant = f'{{matches: "{text}"}}'
        elif len(text) > 1 and text.endswith("*") and "*" not in text[:-1]:
            meant = f'{{starts_with: "{text[:-1]}"}}'
        elif len(text) > 1 and text.startswith("*") and "*" not in text[1:]:
            meant = f'{{ends_with: "{text[1:]}"}}'
        else:
            continue
        yield doubt.Doubt(
            rule, f'"{text}" is compared as a text, not as a pattern; for a pattern, write {meant}', ("when", field)
        )


def _wrong_case(rule: model.Rule, texts: frozenset[str], field: str) -> Iterator[doubt.Doubt]:
    for text in sorted(texts)[:_LISTED]:
        plain = text.lower()
        if text != plain and plain in words.WORDS and plain not in texts:
            yield doubt.Doubt(
                rule,
                f'"{text}" is compared as it was sent, and most senders write "{plain}"; for both, list both: '
                f"[{text}, {plain}]",
                ("when", field),
            )
