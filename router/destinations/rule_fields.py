"""Parses the fields that a rule sets for an incident, over the destination's defaults, and validates them together.

A destination does so at the start of each operation. The rule loader has validated the templates, but a rendered text
may be too long or empty. The incident opens all the same: a text is cut to its limit, and an optional field that is
invalid is omitted. Only an invalid required field is an error.

    title: "{{ alert.title }}"             901 letters   cut to 500
    postmortem_url: "https://pm/{{ … }}"   3,000 letters omitted
    custom_field_entries[1].values[0]      ""            omitted, with the entry if it is its only value
    message: ""                            required      ``Permanent``
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import pydantic

from router.destinations import base, components
from router.domain import operations, severities
from router.outbound import errors
from router.yaml_source import phrases

Shape = TypeVar("Shape", bound=base.Opening)

# Rounds of making fields fit: each removes the reported fields, after which validators may report others.
_MAX_ROUNDS = 5


def parse(shape: type[Shape], config: base.Config, fields: Mapping[str, Any]) -> Shape:
    """Merge ``fields`` over the defaults and validate them. Raises ``pydantic.ValidationError``."""
    return shape.model_validate({**config.defaults, **fields}, context={"config": config})


def parse_current(shape: type[Shape], config: base.Config, operation: operations.Operation) -> Shape:
    """Parse an operation's fields and make them fit. Raises ``Permanent``, naming the first field at fault."""
    return parse_fitted(shape, config, operation)[0]


def parse_fitted(
    shape: type[Shape], config: base.Config, operation: operations.Operation
) -> tuple[Shape, tuple[operations.Omission, ...]]:
    """Parse an operation's fields as ``parse_current`` does, and return what was cut or omitted."""
    return _fit(shape, config, operation.content.fields, operation.destination)


def _fit(
    shape: type[Shape], config: base.Config, values: Mapping[str, Any], destination: str
) -> tuple[Shape, tuple[operations.Omission, ...]]:
    fields, omitted = shape.without_empty({**config.defaults, **values})
    for _ in range(_MAX_ROUNDS):
        try:
            return shape.model_validate(fields, context={"config": config}), tuple(omitted)
        except pydantic.ValidationError as problem:
            further = [_fit_field(shape, fields, error) for error in _select_errors(problem, fields)]
            # One field that can't be adapted makes the call impossible.
            if None in further:
                raise _make_refusal(destination, problem) from problem
            omitted += [omission for omission in further if omission is not None]
    raise errors.Permanent(f"{destination}: the fields can't be adapted to the destination")


def _make_refusal(destination: str, problem: pydantic.ValidationError) -> errors.Permanent:
    problems_of_fields = _list_problems(problem)
    message = f"{destination}: " + "; ".join(f"{field}: {text}" for field, text in problems_of_fields)
    return errors.Permanent(message, field=problems_of_fields[0][0])


def _get_location(error: Any) -> list[Any]:
    """Return the location of an error, without pydantic's internal parts."""
    return [part for part in error["loc"] if part not in components.TAGS]


def _is_of_entry(place: Sequence[Any], fields: Mapping[str, Any]) -> bool:
    """Return whether a location is within an entry of a list or a mapping."""
    return len(place) > 1 and isinstance(fields.get(str(place[0])), list | tuple | Mapping)


def _select_errors(problem: pydantic.ValidationError, fields: Mapping[str, Any]) -> list[Any]:
    """Return at most one error per entry, the last entry of a list first, so that locations stay valid."""
    by_place: dict[tuple[Any, ...], Any] = {}
    for error in problem.errors(include_url=False, include_input=False):
        place = _get_location(error)
        by_place.setdefault(tuple(place[:2] if _is_of_entry(place, fields) else place[:1]), error)
    entries = sorted(by_place, key=lambda key: key[1] if len(key) > 1 and isinstance(key[1], int) else -1, reverse=True)
    return [by_place[key] for key in entries]


def _fit_field(shape: type[base.Opening], fields: dict[str, Any], error: Any) -> operations.Omission | None:
    """Cut or remove the field of one error; None if the field is required and can't be cut."""
    place = _get_location(error)
    name = str(place[0]) if place else ""
    value = fields.get(name)
    # A URL that is cut leads nowhere.
    is_text = isinstance(value, str) and not value.startswith(("https://", "http://"))
    if len(place) == 1 and error["type"] == "string_too_long" and is_text:
        max_length = error["ctx"]["max_length"]
        fields[name] = fields[name][: max_length - 1] + "…"
        return operations.Omission(name, "cut", f"cut to {max_length} characters")
    declared = shape.model_fields.get(name)
    # The error is about a missing field, or about several fields together. Removing one can't help.
    if declared is None or name not in fields:
        return None
    # One invalid entry doesn't cost the whole list.
    if _is_of_entry(place, fields):
        fields[name], field_name = _without(fields[name], place[1])
        return operations.Omission(name, "left_out", f"entry {field_name} was omitted: {error['msg']}")
    # The vendor would refuse the call without this field.
    if declared.is_required():
        return None
    # An incident without this detail is better than no incident.
    del fields[name]
    return operations.Omission(name, "left_out", f"left out: {error['msg']}")


def _without(entries: Any, at: Any) -> tuple[Any, str]:
    """Remove an entry from a list or a mapping. Return the rest and the name of the entry."""
    if isinstance(entries, Mapping):
        return {key: value for key, value in entries.items() if key != at}, str(at)
    return [entry for place, entry in enumerate(entries) if place != at], str(at + 1)


def parse_previous(shape: type[Shape], config: base.Config, operation: operations.Operation) -> Shape | None:
    """Parse the fields that were sent last, made to fit as they were then.

    Return None if nothing was sent, or if the configuration has changed too much since.
    """
    if operation.before is None:
        return None
    try:
        return _fit(shape, config, operation.before.fields, operation.destination)[0]
    except errors.Permanent:
        return None


def parse_uncertain(
    shape: type[Shape], config: base.Config, operation: operations.Operation
) -> list[tuple[Shape, severities.Severity]]:
    """Parse the contents that the vendor may show in part or late, with their severities."""
    openings = []
    for content in operation.uncertain:
        earlier = msgspec.structs.replace(operation, before=content)
        if (opening := parse_previous(shape, config, earlier)) is not None:
            openings.append((opening, content.severity))
    return openings


def check_defaults(shape: type[base.Opening], config: base.Config) -> None:
    """Raise ``ValueError`` for defaults that no rule could correct. Missing fields may still come from a rule.

    Defaults are literal: only rule files have templates.
    """
    for name, value in config.defaults.items():
        if any("{{" in text or "{%" in text for text in _texts(value)):
            raise ValueError(f"defaults.{name}: no template is rendered here; set it under `defaults` in a rule file")
    try:
        parse(shape, config, {})
    except pydantic.ValidationError as problem:
        wrong = _list_problems(problem, ignored=("missing",))
        if wrong:
            raise ValueError("; ".join(f"defaults.{field}: {text}" for field, text in wrong)) from problem


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for inner in value.values() for text in _texts(inner))
    elif isinstance(value, list | tuple):
        yield from (text for inner in value for text in _texts(inner))


def _list_problems(problem: pydantic.ValidationError, ignored: Iterable[str] = ()) -> list[tuple[str, str]]:
    return [
        (".".join(str(part) for part in error["loc"] if part not in components.TAGS), phrases.phrase(error))
        for error in problem.errors(include_url=False, include_input=False)
        if error["type"] not in ignored
    ]
