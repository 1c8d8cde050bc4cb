"""The parts of a mapping: where a value is found, and how it is read as a text, a time, or named texts.

Values that can't be used are reported to the delivery's ``Reading``; the alert is read without them.
"""

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

import msgspec
import pydantic

from router.domain.times import Timestamp
from router.sources import base, forms, pairs, paths, reading, times
from router.yaml_source import suggestions

ALL = "*"
"""In a mapping of names to paths: all members of the object, or of the list of pairs or tags, that is found there."""

_PLACES = ("path", "body", "header", "query")
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_DIRECTIVES = frozenset("aAwdbBmyYHIpMSfzZjUWcxXGuV%")

Path = Annotated[str, pydantic.AfterValidator(paths.check)]
Word = Annotated[str, pydantic.AfterValidator(lambda word: word.strip().casefold())]


class Scope(msgspec.Struct, frozen=True, gc=False):
    """The data that the paths of a mapping refer to: one alert, the body that contains it, and the request."""

    item: Any
    body: Any
    headers: Mapping[bytes, bytes]
    query: Mapping[str, str]


Getter = Callable[[Scope], Any]
"""Finds a value; None if there is none. It raises ``paths.EvaluationError``."""
Collector = Callable[[Scope, str, reading.Reading], dict[str, str]]


class Fact(pydantic.BaseModel):
    """Where a value is found: exactly one of the four places.

    ``path`` begins at the alert, ``body`` at the whole body; ``header`` names a header of the request, ``query`` a
    parameter of its query.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    path: Path = ""
    body: Path = ""
    header: str = pydantic.Field(default="", pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]*$")
    query: str = ""

    @pydantic.model_validator(mode="after")
    def _check_place(self) -> Self:
        # An empty setting counts, too: `path: ""` beside `header` is a contradiction.
        places = [name for name in _PLACES if name in self.model_fields_set]
        if len(places) > 1:
            raise ValueError(f"{places[0]} and {places[1]} exclude each other: a value has one place")
        if not any(getattr(self, name) for name in places or ("path",)):
            raise ValueError("name the place of the value: path, body, header, or query")
        return self

    @property
    def is_in_query(self) -> bool:
        """Return whether the request's query is needed."""
        return bool(self.query)

    @property
    def is_of_alert(self) -> bool:
        """Return whether each alert of a delivery has a separate value."""
        return not (self.body or self.header or self.query)

    def __str__(self) -> str:
        """Return the value's place in the notation of the configuration."""
        outside = next((name for name in _PLACES[1:] if getattr(self, name)), "")
        return f"{outside}: {getattr(self, outside)}" if outside else self.path

    def getter(self) -> Getter:
        """Build the function that finds the value."""
        if self.header:
            name = self.header.lower().encode()
            # Headers may have any bytes. Latin-1 decodes all of them.
            return lambda scope: scope.headers[name].decode("latin-1") if name in scope.headers else None
        if self.query:
            return lambda scope: scope.query.get(self.query)
        if self.body:
            in_body = paths.compile(self.body)
            return lambda scope: in_body(scope.body)
        in_alert = paths.compile(self.path)
        return lambda scope: in_alert(scope.item)


class Time(Fact):
    """Where a time is found, and how it is written.

    ``format`` is a ``strptime`` pattern, or ``unix``, ``unix_ms``, ``unix_us``, ``unix_ns``; without it every form that
    ``times`` knows is read. ``zone`` is the IANA time zone of times that have none; UTC if absent.
    """

    format: str = ""
    zone: str = ""

    @pydantic.field_validator("format")
    @classmethod
    def _check_format(cls, value: str) -> str:
        if not value or value in times.UNITS:
            return value
        if "%" not in value:
            close = suggestions.nearest(value, times.UNITS)
            names = f'did you mean "{close}"?' if close else f"write one of {', '.join(times.UNITS)}, or a pattern"
            raise ValueError(f'"{value}" is not a format; {names}')
        for directive in _DIRECTIVE.finditer(value):
            if directive[1] not in _DIRECTIVES or not directive[1]:
                raise ValueError(f"{directive[0]} at character {directive.start() + 1} is not a directive of strptime")
        # `strptime` replaces a missing date by January 1, 1900, and times before 1970 count as absent.
        if not _has_a_day({match[1] for match in _DIRECTIVE.finditer(value)}):
            raise ValueError("the format needs the year, the month, and the day, for example %Y-%m-%d %H:%M:%S")
        try:
            dt.datetime.strptime("", value)  # noqa: DTZ007 - only to compile the pattern
        except ValueError as error:
            # This error is expected, because the text is empty. It proves that the pattern itself can be compiled.
            if "does not match format" not in str(error):
                raise ValueError(f"strptime can't read this format: {error}") from error
        except re.error as error:
            raise ValueError(f"strptime can't read this format: {error}") from error
        return value

    @pydantic.field_validator("zone")
    @classmethod
    def _check_zone(cls, value: str) -> str:
        try:
            return times.check_zone(value) if value else value
        except KeyError:
            hint = suggestions.hint(value, zoneinfo.available_timezones())
            raise ValueError(f'there is no time zone "{value}"{hint or "; write it like Europe/Zurich"}') from None

    @pydantic.model_validator(mode="after")
    def _check_zone_use(self) -> Self:
        if self.zone and self.format in times.UNITS:
            raise ValueError(f"a time in {self.format} has no time zone: remove zone")
        return self

    def reader(self) -> Callable[[Scope, str, reading.Reading | None], Timestamp]:
        """Build the function that reads the time in microseconds: 0 if it is absent or unreadable.

        An unreadable time is reported if the function gets a delivery.
        """
        getter, pattern, zone = self.getter(), self.format, self.zone

        def read(scope: Scope, where: str, delivery: reading.Reading | None) -> Timestamp:
            try:
                return _micros(getter(scope), pattern, zone)
            except (paths.EvaluationError, ValueError) as error:
                if delivery is not None:
                    delivery.unreadable_time(where, str(error))
                return Timestamp(0)

        return read


def expand_path(value: Any) -> Any:
    """Expand a setting that is only a path to the mapping that it stands for."""
    if isinstance(value, str):
        return {"path": value}
    if isinstance(value, dict | pydantic.BaseModel):
        return value
    raise ValueError("expected a path, or another place of the value, such as {header: X-Event}")


def _expand_all(value: Any) -> Any:
    return {ALL: value} if isinstance(value, str) else value


PathOrFact = Annotated[Fact, pydantic.BeforeValidator(expand_path, json_schema_input_type=str | Fact)]
PathOrTime = Annotated[Time, pydantic.BeforeValidator(expand_path, json_schema_input_type=str | Time)]
Facts = Annotated[
    dict[str, PathOrFact],
    pydantic.BeforeValidator(_expand_all, json_schema_input_type=str | dict[str, str | Fact]),
]


def _has_a_day(directives: set[str]) -> bool:
    has_a_year = bool(directives & {"Y", "y"})
    by_month = bool(directives & {"m", "b", "B"}) and "d" in directives
    return bool(directives & {"c", "x"}) or (has_a_year and ("j" in directives or by_month))


def collector(facts: Mapping[str, Fact]) -> Collector:
    """Build a function that collects named texts: all members of one object, or each from a separate place.

    The function gets the scope, the name of the setting, and the delivery to which it reports unusable values.
    """
    everything = facts[ALL].getter() if ALL in facts else None
    getters = [(name, fact.getter()) for name, fact in facts.items() if name != ALL]

    def collect(scope: Scope, where: str, delivery: reading.Reading) -> dict[str, str]:
        texts = {} if everything is None else _members(everything, scope, where, delivery)
        for name, getter in getters:
            if text := any_text(getter, scope, f"{where}.{name}", delivery):
                texts[name] = text
        return texts

    return collect


def find(getter: Callable[[Any], Any], item: Any, where: str) -> Any:
    """Return any value, None if there is none. Raises ``base.Unparsable`` if the path can't be evaluated."""
    try:
        return getter(item)
    except paths.EvaluationError as error:
        raise base.Unparsable(where, str(error)) from error


def text(getter: Getter, scope: Scope, where: str) -> str:
    """Return the value as text, empty if there is none. Raises ``base.Unparsable`` if the path can't be evaluated."""
    return paths.text(find(getter, scope, where))


def optional_text(getter: Getter, scope: Scope, where: str, delivery: reading.Reading) -> str:
    """Return a text or number as text; empty if there is none. An object or a list is reported and ignored."""
    value = _optional(getter, scope, where, delivery)
    if isinstance(value, dict | list):
        if value:
            delivery.ignore(where, f"expected a text, not {paths.kind_of(value)}")
        return ""
    return paths.text(value)


def any_text(getter: Getter, scope: Scope, where: str, delivery: reading.Reading) -> str:
    """Return any value as text, objects and lists as JSON. If the path can't be evaluated, report it and return ""."""
    return paths.text(_optional(getter, scope, where, delivery))


def query_of(headers: Mapping[bytes, bytes], delivery: reading.Reading) -> Mapping[str, str]:
    """Return the parameters of the request's query; of several with the same name, the last."""
    try:
        return forms.parse_urlencoded(headers[base.QUERY]) if base.QUERY in headers else {}
    except base.Unparsable as error:
        delivery.ignore("query", error.problem)
        return {}


def _optional(getter: Getter, scope: Scope, where: str, delivery: reading.Reading) -> Any:
    try:
        return getter(scope)
    except paths.EvaluationError as error:
        delivery.ignore(where, str(error))
        return None


def _members(getter: Getter, scope: Scope, where: str, delivery: reading.Reading) -> dict[str, str]:
    value = _optional(getter, scope, where, delivery)
    if value is None:
        return {}
    if isinstance(value, dict):
        return {name: paths.text(value) for name, value in value.items() if value is not None}
    if isinstance(value, list | str):
        return pairs.labels(value)
    delivery.ignore(where, f"expected an object, or a list of tags or pairs, not {paths.kind_of(value)}")
    return {}


def _micros(value: Any, pattern: str, zone: str) -> Timestamp:
    if value is None:
        return Timestamp(0)
    if isinstance(value, str):
        return times.from_format(value, pattern, zone) if pattern else times.from_text(value, zone)
    # In Python, True is an int.
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not pattern:
            return times.from_number(value)
        return (
            times.from_unit(value, pattern) if pattern in times.UNITS else times.from_format(str(value), pattern, zone)
        )
    raise ValueError(f"expected a time, not {paths.kind_of(value)}")
