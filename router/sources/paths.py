"""JMESPath expressions of a mapping: compiled and checked when the settings are read, evaluated for each alert."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import jmespath
import msgspec
from jmespath import exceptions, functions

from router.domain import patterns

Getter = Callable[[Any], Any]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_INDEX = r"\[-?[0-9]{1,9}\]"
_PLAIN = patterns.compile(rf"{_NAME}(?:\.{_NAME}|{_INDEX})*")
_STEP = re.compile(rf"({_NAME})|\[(-?[0-9]+)\]")
_LONGEST_MESSAGE = 200  # JMESPath repeats in its messages the whole value that it stumbled on.
_KNOWN_FUNCTIONS = frozenset(functions.Functions().FUNCTION_TABLE)


class EvaluationError(Exception):
    """An expression could not be evaluated on this body; the message says why."""


def check(expression: str) -> str:
    """Return the expression where it is JMESPath; ``ValueError`` says what is wrong with it."""
    try:
        parsed = jmespath.compile(expression).parsed
    except ValueError as error:  # JMESPathError is one, too.
        # Its further lines point at the expression with a caret.
        said = str(error).partition("\n")[0].removeprefix("Invalid jmespath expression: ").rstrip(":")
        raise ValueError(f"{expression!r} is not a JMESPath expression: {said[:1].lower()}{said[1:]}") from error
    unknown = sorted(name for name in _functions(parsed) if name not in _KNOWN_FUNCTIONS)
    if unknown:
        raise ValueError(f"{expression!r} calls {unknown[0]}(), which JMESPath does not have")
    return expression


def compile(expression: str) -> Getter:  # noqa: A001 - as in re.compile and jmespath.compile
    """Make a function from a decoded body to what the expression finds there, None where that is nothing.

    It raises ``EvaluationError``. Plain paths, alone or as alternatives (``a.b || c[0]``), do without the interpreter:
    they are what nearly every mapping consists of, and twenty times faster so.
    """
    parts = [part.strip() for part in expression.split("||")]
    if not all(_PLAIN.fullmatch(patterns.encoded(part)) for part in parts):
        return _interpreted(expression)
    getters = [_plain(part) for part in parts]
    return getters[0] if len(getters) == 1 else _first_of(getters)


def text(value: Any) -> str:
    """What was found, as text: strings as they are, nothing as nothing, everything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def kind_of(value: Any) -> str:
    """What a decoded value is, in words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


def _functions(node: Any) -> Iterator[str]:
    """The names of all functions that a parsed expression calls."""
    if isinstance(node, dict) and "type" in node:
        if node["type"] == "function_expression":
            yield node["value"]
        for child in node["children"]:
            yield from _functions(child)


def _interpreted(expression: str) -> Getter:
    compiled = jmespath.compile(expression)

    def get(body: Any) -> Any:
        try:
            return compiled.search(body)
        except exceptions.JMESPathError as error:
            raise EvaluationError(str(error)[:_LONGEST_MESSAGE]) from error
        except (ArithmeticError, TypeError, ValueError) as error:  # For example floor() of a number beyond all bounds.
            raise EvaluationError(f"{expression!r} cannot be evaluated here: {error}") from error

    return get


def _plain(path: str) -> Getter:
    steps = [found[1] or int(found[2]) for found in _STEP.finditer(path)]
    if steps == [path]:
        return lambda body: body.get(path) if type(body) is dict else None

    def get(body: Any) -> Any:
        for step in steps:
            if isinstance(step, str):
                body = body.get(step) if type(body) is dict else None
            else:
                body = body[step] if type(body) is list and -len(body) <= step < len(body) else None
        return body

    return get


def _first_of(getters: list[Getter]) -> Getter:
    """JMESPath's ``||``: the first that is not null, false or empty; the last one where all are."""

    def get(body: Any) -> Any:
        found = None
        for getter in getters:
            found = getter(body)
            if not is_nothing(found):
                return found
        return found

    return get


def is_nothing(value: Any) -> bool:
    """What JMESPath takes for false; 0 is not among it."""
    return value is None or value is False or value in ("", [], {})
