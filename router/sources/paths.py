"""JMESPath expressions of a mapping: compiled and checked with the settings, evaluated for each alert."""

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
_MAX_MESSAGE_LENGTH = 200  # JMESPath's messages repeat the whole value that caused the error.
_KNOWN_FUNCTIONS = frozenset(functions.Functions().FUNCTION_TABLE)


class EvaluationError(Exception):
    """An expression could not be evaluated on this body. The message says why."""


def check(expression: str) -> str:
    """Return the expression. Raises ``ValueError`` with the problem if it isn't JMESPath."""
    try:
        parsed = jmespath.compile(expression).parsed
        # JMESPath itself reports an unknown function only when it evaluates the expression.
        unknown = sorted(name for name in _functions(parsed) if name not in _KNOWN_FUNCTIONS)
    except RecursionError as error:
        raise ValueError(f"{_quote(expression)} is nested too deeply for a JMESPath expression") from error
    except ValueError as error:  # JMESPathError is a ValueError, too.
        # The other lines of the message point at the expression with a caret.
        message = str(error).partition("\n")[0].removeprefix("Invalid jmespath expression: ").rstrip(":")
        problem = f"{message[:1].lower()}{message[1:]}"[:_MAX_MESSAGE_LENGTH]
        raise ValueError(f"{_quote(expression)} is not a JMESPath expression: {problem}") from error
    if unknown:
        raise ValueError(f"{expression!r} calls {unknown[0]}(), which JMESPath does not have")
    return expression


def compile(expression: str) -> Getter:  # noqa: A001 - as in re.compile and jmespath.compile
    """Build a function that returns what the expression finds in a decoded body, None if there is nothing.

    The function raises ``EvaluationError``. Plain paths, alone or as alternatives (``a.b || c[0]``), bypass the
    interpreter: they are most of nearly every mapping, and are 20 times faster this way.
    """
    parts = [part.strip() for part in expression.split("||")]
    # Any other expression, also one with `||` inside of a function or a text, is left to the interpreter.
    if not all(_PLAIN.fullmatch(patterns.encode(part)) for part in parts):
        return _compile_interpreted(expression)
    getters = [_compile_plain(part) for part in parts]
    return getters[0] if len(getters) == 1 else _first_of(getters)


def text(value: Any) -> str:
    """Return a value as text: strings unchanged, None as empty text, everything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def kind_of(value: Any) -> str:
    """Return the type of a decoded value in words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


def _quote(expression: str) -> str:
    """Quote an expression for a message, cut to a readable length."""
    return repr(expression if len(expression) <= _MAX_MESSAGE_LENGTH else f"{expression[:_MAX_MESSAGE_LENGTH]}…")


def _functions(node: Any) -> Iterator[str]:
    """Yield the names of all functions that a parsed expression calls."""
    if isinstance(node, dict) and "type" in node:
        if node["type"] == "function_expression":
            yield node["value"]
        for child in node["children"]:
            yield from _functions(child)


def _compile_interpreted(expression: str) -> Getter:
    compiled = jmespath.compile(expression)

    def get(body: Any) -> Any:
        try:
            return compiled.search(body)
        except exceptions.JMESPathError as error:
            raise EvaluationError(str(error)[:_MAX_MESSAGE_LENGTH]) from error
        except (ArithmeticError, RecursionError, TypeError, ValueError) as error:  # For example floor(1e400).
            raise EvaluationError(f"{_quote(expression)} cannot be evaluated here: {error}") from error

    return get


def _compile_plain(path: str) -> Getter:
    steps = [step[1] or int(step[2]) for step in _STEP.finditer(path)]
    # A single name is the most frequent path, so it needs no loop.
    if steps == [path]:
        return lambda body: body.get(path) if type(body) is dict else None

    def get(body: Any) -> Any:
        for step in steps:
            if isinstance(step, str):
                body = body.get(step) if type(body) is dict else None
            else:
                # JMESPath returns null for a position outside the list.
                body = body[step] if type(body) is list and -len(body) <= step < len(body) else None
        return body

    return get


def _first_of(getters: list[Getter]) -> Getter:
    """Build JMESPath's ``||``: the first value that isn't null, false, or empty; the last one if all are."""

    def get(body: Any) -> Any:
        value = None
        for getter in getters:
            value = getter(body)
            if not is_nothing(value):
                return value
        return value

    return get


def is_nothing(value: Any) -> bool:
    """Return whether JMESPath treats the value as false. 0 isn't false."""
    return value is None or value is False or value in ("", [], {})
