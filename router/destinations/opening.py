"""Reads what a rule sets for one incident: the rule's fields over the destination's defaults, checked as a whole.

A destination does so at the start of each operation; the rule loader has checked the same when it read the rule.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import pydantic

from router.destinations import base, components
from router.domain import operation as operations
from router.outbound import errors

Shape = TypeVar("Shape", bound=base.Opening)


def read(shape: type[Shape], config: base.Config, fields: Mapping[str, Any]) -> Shape:
    """Merge ``fields`` over the defaults, field by field, and check them; ``pydantic.ValidationError`` otherwise."""
    return shape.model_validate({**config.defaults, **fields}, context={"config": config})


def of(shape: type[Shape], config: base.Config, operation: operations.Operation) -> Shape:
    """Read an operation's fields; ``Permanent``, naming the first field at fault, where they can't be used."""
    try:
        return read(shape, config, operation.content.fields)
    except pydantic.ValidationError as problem:
        listed = _listed(problem)
        message = f"{operation.destination}: " + "; ".join(f"{field}: {text}" for field, text in listed)
        raise errors.Permanent(message, field=listed[0][0]) from problem


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
