"""Lint warnings about the texts of a rule.

A literal text may be meant as a pattern, in another case, or as a template. A template may render to more characters
than the vendor accepts.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from router.rules import groups, lint_warnings, model, parse_resolve, severity_aliases, templates
from router.rules.conditions import condition, equality, substring

_QUOTES = "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}" + (
    "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{SINGLE LOW-9 QUOTATION MARK}"
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}"
)
_LISTED = 8  # Maximum number of texts of a condition that are checked.
_LONG = re.compile(r"alert\.(title|annotations)")  # Fields in which senders write whole sentences.
_SHORT = 500  # Characters. Only titles have lower limits; alerts rarely exceed higher ones.
_TEXTS = (equality.Equal, equality.OneOf, equality.InList)


def lint_texts(rule: model.Rule) -> Iterator[lint_warnings.LintWarning]:
    """Yield every warning about the texts of a rule."""
    for field, test in _all(rule.conditions, rule.other_conditions.grouped):
        path = ("when", field)
        for text in _texts(test):
            yield from _check_quotes(rule, text, path)
        if isinstance(test, _TEXTS):
            yield from _pattern(rule, test.values or frozenset(), field)
            if field in {"severity", "labels.severity"}:
                yield from _wrong_case(rule, test.values or frozenset(), field)
    for index, target in enumerate(rule.targets):
        for name, text in _text_fields(target.fields):
            yield from _check_quotes(rule, text, ("open", index, name))
        for name, text in parse_resolve.texts(target).items():
            yield from _check_quotes(rule, text, ("open", index, "resolve", name))


def _all(
    conditions: tuple[groups.Asked, ...], grouped: tuple[groups.ConditionGroup, ...]
) -> Iterator[tuple[str, condition.Condition]]:
    for field, test in conditions:
        yield field.name, test
        if isinstance(test, equality.Not):
            yield from ((field.name, inner) for inner in test.inside)
    for group in grouped:
        for member in group.members:
            yield from _all(member.asked, member.groups)


def _texts(test: condition.Condition) -> list[str]:
    if isinstance(test, _TEXTS):
        return sorted(test.values or ())[:_LISTED]
    if isinstance(test, substring.StartsWith | substring.EndsWith | substring.Contains):
        return list(test.wanted)[:_LISTED]
    return []


def _text_fields(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, str):
            yield name, value


def _check_quotes(rule: model.Rule, text: str, path: tuple[str | int, ...]) -> Iterator[lint_warnings.LintWarning]:
    if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        yield lint_warnings.LintWarning(
            rule,
            f'the typographic quotes are part of the text {text}; YAML only has straight quotes: "{text[1:-1]}"',
            path,
        )


def _pattern(rule: model.Rule, texts: frozenset[str], field: str) -> Iterator[lint_warnings.LintWarning]:
    for text in sorted(texts)[:_LISTED]:
        if ".*" in text or ".+" in text:
            correction = f'{{matches: "{text}"}}'
        # A single asterisk at one end is the syntax of shells and of some monitoring systems.
        elif len(text) > 1 and text.endswith("*") and "*" not in text[:-1]:
            correction = f'{{starts_with: "{text[:-1]}"}}'
        elif len(text) > 1 and text.startswith("*") and "*" not in text[1:]:
            correction = f'{{ends_with: "{text[1:]}"}}'
        else:
            continue
        yield lint_warnings.LintWarning(
            rule,
            f'"{text}" is compared as a text, not as a pattern; for a pattern, write {correction}',
            ("when", field),
        )


def _wrong_case(rule: model.Rule, texts: frozenset[str], field: str) -> Iterator[lint_warnings.LintWarning]:
    for text in sorted(texts)[:_LISTED]:
        plain = text.lower()
        # A rule that lists both spellings already expects both.
        if text != plain and plain in severity_aliases.WORDS and plain not in texts:
            yield lint_warnings.LintWarning(
                rule,
                f'"{text}" is compared literally, and most senders write "{plain}"; for both, list both: '
                f"[{text}, {plain}]",
                ("when", field),
            )


def lint_limits(rule: model.Rule, limits: lint_warnings.Limits) -> Iterator[lint_warnings.LintWarning]:
    """Warn of every template of a rule whose field has a limit and that isn't truncated to the limit."""
    for index, target in enumerate(rule.targets):
        limits_of_fields = limits.get(target.destination, {})
        for name, text in target.fields.items():
            max_length = limits_of_fields.get(name, 0)
            if not isinstance(text, str) or not 0 < max_length <= _SHORT or not templates.is_template(text):
                continue
            if _LONG.search(text) and "truncate" not in text:
                yield lint_warnings.LintWarning(
                    rule,
                    f"may render to more than the {max_length} characters that {target.destination} accepts, "
                    "and is then truncated"
                    f"; shorten the alert's text with | truncate: {max_length // 2}",
                    ("open", index, name),
                )
