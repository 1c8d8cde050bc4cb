"""Durations and sizes as written in rule files and the configuration: ``90s``, ``1h30m``, ``256MiB``."""

import re
from typing import Annotated, Any, Literal

import pydantic

from router.domain import times

_SECOND = 1_000_000
_TIMES = {
    "ms": 1000,
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3600 * _SECOND,
    "d": 86_400 * _SECOND,
    "w": 7 * 86_400 * _SECOND,
}
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_TIME = re.compile(r"([0-9]{1,9})(ms|[smhdw])")
_SIZE = re.compile(rf"([0-9]{{1,12}}) ?({'|'.join(_BYTES)})")


def duration(value: Any) -> times.Duration:
    """Return a duration in microseconds. ``0`` needs no unit. Raises ``ValueError`` for anything else."""
    text = str(value)
    if text == "0":
        return times.Duration(0)
    parts = _TIME.findall(text)
    # Joining the parts again finds any text between or around them.
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("expected a duration, such as 90s, 5m, 1h30m, or 2d")
    return times.Duration(sum(int(number) * _TIMES[unit] for number, unit in parts))


def size(value: Any) -> int:
    """Return a size in bytes. A number without a unit is also bytes. Raises ``ValueError`` for anything else."""
    text = str(value)
    if text.isdigit() and text.isascii():
        return int(text)
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("expected a size, such as 500kB, 256MiB, or 1GiB")
    return int(match[1]) * _BYTES[match[2]]


def format_duration(duration: int) -> str:
    """Return a duration in microseconds as a text with units; ``0s`` for zero."""
    left = duration
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, left = divmod(left, _TIMES[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


_Written = Literal[0] | Annotated[str, pydantic.StringConstraints(pattern=rf"^(0|({_TIME.pattern})+)$")]

Duration = Annotated[times.Duration, pydantic.BeforeValidator(duration, json_schema_input_type=_Written)]
"""A field of a model that is written as a duration and read as microseconds."""

Size = Annotated[int, pydantic.BeforeValidator(size, json_schema_input_type=str | int)]
"""A field of a model that is written as a size and read as bytes."""
