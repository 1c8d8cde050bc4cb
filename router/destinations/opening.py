"""Reads what a rule sets for one incident: the rule's fields over the destination's defaults, checked as a whole.

A destination does so at the start of each operation. The rule loader has checked the same when it read the rule, but a
rendered text may be too long or empty. The incident opens all the same: a text is cut to its limit, and an optional
field that doesn't fit is left out. Only a required field that can't be used is an error.

    title: "{{ alert.title }}"             901 letters   cut to 500
    postmortem_url: "https://pm/{{ … }}"   3,000 letters left out
    custom_field_entries[1].values[0]      ""            left out, with the entry if nothing else is in it
    message: ""                            required      ``Permanent``
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import pydantic

from router.destinations import base, components
from router.domain import operation as operations
from router.outbound import errors

Shape = TypeVar("Shape", bound=base.Opening)

_MOST_ROUNDS = 5  # Of making fields fit: each takes out what is told; a validator may tell more then.


def read(shape: type[Shape], config: base.Config, fields: Mapping[str, Any]) -> Shape:
    """Merge ``fields`` over the defaults, field by field, and check them; ``pydantic.ValidationError`` otherwise."""
    return shape.model_validate({**config.defaults, **fields}, context={"config": config})


def of(shape: type[Shape], config: base.Config, operation: operations.Operation) -> Shape:
    """Read an operation's fields, made to fit; ``Permanent``, naming the first field at fault, if they can't be."""
    return fitted(shape, config, operation)[0]


def fitted(
    shape: type[Shape], config: base.Config, operation: operations.Operation
) -> tuple[Shape, tuple[operations.Omission, ...]]:
    """Read an operation's fields as ``of`` does, and say what was cut or left out to make them fit."""
    fields, omitted = shape.without_empty({**config.defaults, **operation.content.fields})
    for _ in range(_MOST_ROUNDS):
        try:
            return shape.model_validate(fields, context={"config": config}), tuple(omitted)
        except pydantic.ValidationError as problem:
            further = [_made_to_fit(shape, fields, error) for error in _located(problem)]
            if None in further:
                raise _refused(operation, problem) from problem
            omitted += [one for one in further if one is not None]
    raise errors.Permanent(f"{operation.destination}: the fields can't be made to fit")


def _refused(operation: operations.Operation, problem: pydantic.ValidationError) -> errors.Permanent:
    listed = _listed(problem)
    message = f"{operation.destination}: " + "; ".join(f"{field}: {text}" for field, text in listed)
    return errors.Permanent(message, field=listed[0][0])


def _located(problem: pydantic.ValidationError) -> list[Any]:
    """The errors, at most one for each entry of a list: the last first, so that places stay as they were told."""
    found: dict[tuple[Any, ...], Any] = {}
    for error in problem.errors(include_url=False, include_input=False):
        place = tuple(part for part in error["loc"] if part not in components.TAGS)
        key = place[:2] if len(place) > 1 and isinstance(place[1], int) else place[:1]
        found.setdefault(key, error)
    return [found[key] for key in sorted(found, key=str, reverse=True)]


def _made_to_fit(shape: type[base.Opening], fields: dict[str, Any], error: Any) -> operations.Omission | None:
    """Cut or take out what one error is about; None if the field is needed and can't be cut."""
    place = [part for part in error["loc"] if part not in components.TAGS]
    name = str(place[0]) if place else ""
    said = fields.get(name)
    # A cut address leads nowhere.
    is_text = isinstance(said, str) and not said.startswith(("https://", "http://"))
    if len(place) == 1 and error["type"] == "string_too_long" and is_text:
        most = error["ctx"]["max_length"]
        fields[name] = fields[name][: most - 1] + "…"
        return operations.Omission(name, "cut", f"cut to {most} characters")
    declared = shape.model_fields.get(name)
    if declared is None or name not in fields:
        return None
    entries = fields[name]
    if len(place) > 1 and isinstance(place[1], int) and isinstance(entries, list | tuple):
        kept = [entry for at, entry in enumerate(entries) if at != place[1]]
        fields[name] = kept
        return operations.Omission(name, "left_out", f"entry {place[1] + 1} was left out: {error['msg']}")
    if declared.is_required():
        return None
    del fields[name]
    return operations.Omission(name, "left_out", f"left out: {error['msg']}")


def before(shape: type[Shape], config: base.Config, operation: operations.Operation) -> Shape | None:
    """Read the fields that were last sent; None where nothing was, or the configuration has changed too much since."""
    if operation.before is None:
        return None
    try:
        return read(shape, config, operation.before.fields)
    except pydantic.ValidationError:
        return None


def check_defaults(shape: type[base.Opening], config: base.Config) -> None:
    """Refuse (``ValueError``) defaults that no rule could mend; what is missing may still come from the rule."""
    try:
        read(shape, config, {})
    except pydantic.ValidationError as problem:
        wrong = _listed(problem, ignored=("missing",))
        if wrong:
            raise ValueError("; ".join(f"defaults.{field}: {text}" for field, text in wrong)) from problem


def _listed(problem: pydantic.ValidationError, ignored: Iterable[str] = ()) -> list[tuple[str, str]]:
    return [
        (".".join(str(part) for part in error["loc"] if part not in components.TAGS), error["msg"])
        for error in problem.errors(include_url=False, include_input=False, include_context=False)
        if error["type"] not in ignored
    ]
