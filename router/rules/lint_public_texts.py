"""Lint warnings about literal text at public destinations.

The rule's author writes literal text, so it is checked only here. ``allow_text`` lists texts that the author has
checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from router.domain import visible
from router.rules import destination_info, leak_guard, lint_warnings, model, parse_resolve, templates

_UNSEEN = frozenset({"page"})
"""Fields of public destinations that select a page. Customers don't read them."""

_MAX_QUOTE_LENGTH = 60
Path = tuple[str | int, ...]


def lint_public_texts(
    rules: Sequence[model.Rule], destinations: destination_info.Destinations
) -> Iterator[lint_warnings.LintWarning]:
    """Warn of the literal texts of these rules at destinations that customers see."""
    for rule in rules:
        for index, target in enumerate(rule.targets):
            destination = destinations.get(target.destination)
            if destination is None or not destination.public:
                continue
            seen = {name: value for name, value in target.fields.items() if name not in _UNSEEN}
            ending = ((("resolve", name), text) for name, text in parse_resolve.texts(target).items())
            for path, text in [*_texts(seen, ()), *_texts(target.fallback, ("fallback",)), *ending]:
                for message in problems(text, destination.hosts, rule.common.allow_text):
                    yield lint_warnings.LintWarning(rule, message, ("open", index, *path))
        yield from _check_empty(rule)


def problems(text: str, hosts: Sequence[str], allow_text: Sequence[str] = ()) -> Iterator[str]:
    """Yield the parts of a text that customers should probably not read, described for its author."""
    # Replaced by a space, an allowed text can't join its neighbors into a new word.
    for allowed in filter(str.strip, allow_text):
        text = text.replace(allowed, " ")
    parts = templates.literals(text)
    if any(part != visible.visible(part) for part in parts):
        yield "invisible characters are removed from posts"
    for part in parts:
        for objection in leak_guard.objections(part, hosts):
            advice = "; pages.allowed_hosts lists the allowed domains" if objection == leak_guard.HOST_NAME else ""
            quote = " ".join(part.split())[:_MAX_QUOTE_LENGTH]
            yield f'customers will read {objection} in "{quote}"; if this is intended, add it to allow_text{advice}'


def _check_empty(rule: model.Rule) -> Iterator[lint_warnings.LintWarning]:
    """Warn of an empty text in ``allow_text``, which would occur in every text."""
    if any(not text.strip() for text in rule.common.allow_text):
        yield lint_warnings.LintWarning(rule, "an empty text in allow_text allows nothing", ("allow_text",))


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text in plain data with its path, including the keys of mappings, such as components' names."""
    match value:
        case str():
            yield path, value
        case Mapping():
            for key, inner in value.items():
                # Keys of the target itself are field names, which customers don't see.
                if path and path != ("fallback",) and isinstance(key, str):
                    yield (*path, key), key
                yield from _texts(inner, (*path, key))
        case list() | tuple():
            for index, inner in enumerate(value):
                yield from _texts(inner, (*path, index))
