"""Messages for invalid values. They replace pydantic's messages, which refer to Python."""

import re
from collections.abc import Mapping
from typing import Any

_MAPPING = "expected a mapping of keys to values"
_LIST = 'expected a list: put it in [ ], or begin each entry with "- "'
_NETWORK = "expected a network, such as 10.0.0.0/8 or 2001:db8::/32"
_PHRASES = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "json_invalid": "invalid JSON",
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "string_type": "expected a text; put a number in quotes",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_parsing_size": "the number is too large",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "ip_v4_network": _NETWORK,
    "ip_v6_network": _NETWORK,
}
_BOUNDS = {
    "string_too_short": ("min_length", "character", "characters"),
    "string_too_long": ("max_length", "character", "characters"),
    "too_short": ("min_length", "entry", "entries"),
    "too_long": ("max_length", "entry", "entries"),
}
_PREFIX = re.compile(r"^(?:Value error|Assertion failed), ")
_SUBJECT = re.compile(r"^[A-Za-z ]*\bshould ")


def phrase(detail: Mapping[str, Any]) -> str:
    """Return the problem of a value without the value itself. ``detail`` is one of pydantic's errors."""
    kind = detail["type"]
    if kind in _PHRASES:
        return _PHRASES[kind]
    if kind in _BOUNDS:
        name, singular, many = _BOUNDS[kind]
        number = detail["ctx"][name]
        if (name, number, singular) == ("min_length", 1, "character"):
            return "must not be empty"
        amount = f"{number} {singular if number == 1 else many}"
        return f"expected at least {amount}" if name == "min_length" else f"expected at most {amount}"
    text = _SUBJECT.sub("must ", _PREFIX.sub("", detail["msg"]))
    return text[:1].lower() + text[1:]
