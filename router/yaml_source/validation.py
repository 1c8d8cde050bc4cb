"""Converts pydantic's errors into problems with positions and suggested names."""

import typing
from collections.abc import Callable, Sequence
from typing import Any

import pydantic

from router.yaml_source import documents, phrases, problems, suggestions

# Prometheus' names for keys of the router's rules.
_FAMILIAR = {"for": "open_after", "keep_firing_for": "resolve_after"}


def problems_of(
    error: pydantic.ValidationError,
    document: documents.Document,
    *,
    at: documents.Where = (),
    model: type[pydantic.BaseModel] | None = None,
    prefix: str = "",
    ignored: str = "",
    passes: Callable[[str, Sequence[str | int], Any], bool] = lambda _kind, _where, _value: False,
) -> list[problems.LocatedProblem]:
    """Return a problem for each of pydantic's errors.

    ``at`` is the path of the part of the document that was validated. ``model`` is its model, which has the valid names
    for unknown keys. ``prefix`` precedes each message. Errors of pydantic's type ``ignored`` are omitted, and so are
    errors for whose type, path, and value ``passes`` returns true. Messages contain no value of the document, so that
    they contain no secret.
    """
    details = [
        detail
        for detail in error.errors()
        if detail["type"] != ignored and not passes(detail["type"], detail["loc"], detail["input"])
    ]
    all_problems = [_problem(detail, document, at, model, prefix) for detail in details]
    # A union reports an error for each of its branches, often with the same message.
    return list(dict.fromkeys(all_problems))


def _problem(
    detail: Any,
    document: documents.Document,
    at: documents.Where,
    model: type[pydantic.BaseModel] | None,
    prefix: str,
) -> problems.LocatedProblem:
    where = tuple(detail["loc"])
    path, steps = _path(document, at, where)
    kind = detail["type"]
    last = where[-1] if where else ""
    if kind == "extra_forbidden":
        hint = _elsewhere(model, where[:-1], str(last)) or suggestions.hint(str(last), _names(model, where[:-1]))
        return document.problem(f'{prefix}unknown key "{last}"{hint}', path, key=True)
    # The position is that of the mapping, because the key doesn't exist.
    if kind == "missing":
        return document.problem(f'{prefix}"{last}" is missing', path)
    message = phrases.phrase(detail)
    names = [step for step in steps if isinstance(step, str)] or [str(step) for step in where[:1]]
    name = f'"{names[-1]}": ' if names else ""
    return document.problem(prefix + name + message, path, key=last == "[key]")


def _path(
    document: documents.Document, at: documents.Where, where: Sequence[str | int]
) -> tuple[list[str | int], list[str | int]]:
    """Return the path in the document, as a whole and from ``at`` on.

    It leaves out the steps that pydantic inserts (such as the branch of a union, or ``[key]``) and steps that don't
    exist.
    """
    data = document.data
    for step in at:
        data = data[step]
    steps: list[str | int] = []
    for step in where:
        # A text has no members, but Python would index its characters.
        if data is None or isinstance(data, str | int | float):
            break
        try:
            data = data[step]
        except (LookupError, TypeError):
            continue
        steps.append(step)
    return [*at, *steps], steps


def _names(model: type[pydantic.BaseModel] | None, path: Sequence[str | int]) -> set[str]:
    """Return the valid keys at the path, for every possible model."""
    return {name for outer in _models_at(model, path) for name in _keys(outer)}


def _elsewhere(model: type[pydantic.BaseModel] | None, path: Sequence[str | int], name: str) -> str:
    """Return the end of a message about a key that belongs one level deeper; empty if the key belongs nowhere."""
    proper_name = _FAMILIAR.get(name, name)
    for outer in _models_at(model, path):
        for key, field in outer.model_fields.items():
            if any(proper_name in _keys(inner) for inner in _models(field.annotation)):
                under = field.alias or key
                return (
                    f'; it belongs under "{under}"'
                    if proper_name == name
                    else f'; did you mean "{proper_name}" under "{under}"?'
                )
    return ""


def _models_at(model: type[pydantic.BaseModel] | None, path: Sequence[str | int]) -> list[type[pydantic.BaseModel]]:
    models = [model] if model is not None else []
    for step in path:
        models = [inner for outer in models for inner in _inside(outer, step)] or models
    return models


def _keys(model: type[pydantic.BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _inside(model: type[pydantic.BaseModel], step: str | int) -> list[type[pydantic.BaseModel]]:
    """Return the models of a field. For list positions and keys of a mapping, return none."""
    for name, field in model.model_fields.items():
        if step in {name, field.alias}:
            return _models(field.annotation)
    return []


def _models(annotation: Any) -> list[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return [annotation]
    return [inner for argument in typing.get_args(annotation) for inner in _models(argument)]
