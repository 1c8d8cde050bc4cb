"""The parts of a mapping: what a path finds in a decoded body, as a text, as a time, or as texts with names.

Whatever cannot be used is told with the setting that found it.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import pydantic

from router.sources import base, paths, times

ALL = "*"
"""In a mapping of names to paths: all members of the object that is found there."""

Path = Annotated[str, pydantic.AfterValidator(paths.check)]
Paths = Path | dict[str, Path]
Word = Annotated[str, pydantic.AfterValidator(lambda word: word.strip().casefold())]
Collector = Callable[[Any, str], dict[str, str]]


def collector(wanted: str | Mapping[str, str]) -> Collector:
    """Make a function that collects named texts: all members of one object, or each from a path of its own.

    It gets what to look in, and the name of the setting for ``base.Unparsable``.
    """
    named = {ALL: wanted} if isinstance(wanted, str) else dict(wanted)
    everything = paths.compile(named.pop(ALL)) if ALL in named else None
    getters = [(name, paths.compile(path)) for name, path in named.items()]

    def collect(item: Any, where: str) -> dict[str, str]:
        texts = {} if everything is None else _members(find(everything, item, where), where)
        for name, getter in getters:
            found = text(getter, item, f"{where}.{name}")
            if found:
                texts[name] = found
        return texts

    return collect


def find(getter: paths.Getter, item: Any, where: str) -> Any:
    """Whatever is found; None where that is nothing, ``base.Unparsable`` where the path cannot be followed."""
    try:
        return getter(item)
    except paths.EvaluationError as error:
        raise base.Unparsable(where, str(error)) from error


def text(getter: paths.Getter, item: Any, where: str) -> str:
    """What is found, as text; empty where that is nothing."""
    return paths.text(find(getter, item, where))


def moment(getter: paths.Getter, item: Any, where: str) -> int:
    """The time that is found, in microseconds; 0 where there is none, ``base.Unparsable`` where it is no time."""
    found = find(getter, item, where)
    try:
        if isinstance(found, str):
            return times.from_text(found)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return times.from_number(found)
    except ValueError as error:
        raise base.Unparsable(where, str(error)) from error
    if found is None:
        return 0
    raise base.Unparsable(where, f"a time is expected here, not {kind_of(found)}")


def kind_of(value: Any) -> str:
    """What a decoded value is, in words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


def _members(found: Any, where: str) -> dict[str, str]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise base.Unparsable(where, f"an object of names and values is expected here, not {kind_of(found)}")
    return {name: paths.text(value) for name, value in found.items() if value is not None}
