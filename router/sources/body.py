"""Conversion of a body's bytes to typed values: the only place that turns decoder errors into ``base.Unparsable``."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from router.sources import base

_T = TypeVar("_T")

_AT = " - at `"  # msgspec ends its message with the place, for example "- at `$.alerts[0].labels[...]`".


def decode(decoder: Callable[[bytes], _T], body: bytes) -> _T:
    """Decode JSON. Raises ``base.Unparsable`` if it is malformed, nested too deeply, or not of the decoder's type."""
    try:
        return decoder(body)
    # The order matters: a `ValidationError` is also a `DecodeError`.
    except msgspec.ValidationError as error:
        raise _to_unparsable(str(error)) from error
    except msgspec.DecodeError as error:
        raise base.Unparsable("", _describe_malformed(body, str(error))) from error
    # msgspec raises this error unchanged for strings that aren't UTF-8. It is no `DecodeError`.
    except UnicodeDecodeError as error:
        raise base.Unparsable("", f"the body is not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise base.Unparsable("", "the JSON is nested too deeply") from error


def _to_unparsable(message: str) -> base.Unparsable:
    problem, at, place = message.rpartition(_AT)
    if not at or not place.endswith("`"):
        return base.Unparsable("", message)
    # Senders know their own fields, so `$.alerts[0]` is reported as `alerts[0]`.
    before, _, where = place[:-1].partition("$")
    return base.Unparsable(before + where.removeprefix("."), problem)


def _describe_malformed(body: bytes, message: str) -> str:
    if not body.strip():
        return "the body is empty: JSON is expected"
    return f"{message}: the body has to be JSON"
