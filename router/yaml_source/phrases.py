"""Messages for invalid values. They replace pydantic's messages, which refer to Python."""

import re
from collections.abc import Mapping
from typing import Any

_MAPPING = "a mapping of keys to values is needed here"
_LIST = 'a list is needed here: put it in [ ], or begin each entry with "- "'
_NETWORK = "a network is needed here, as 10.0.0.0/8 or 2001:db8::/32"
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
    "string_type": "a text is needed here; a number becomes one in quotes",
    "bool_parsing": "true or false is needed here",
    "bool_type": "true or false is needed here",
    "int_type": "a whole number is needed here",
    "int_parsing": "a whole number is needed here",
    "int_parsing_size": "the number is too large",
    "int_from_float": "a whole number is needed here",
    "float_type": "a number is needed here",
    "float_parsing": "a number is needed here",
    "finite_number": "a finite number is needed here",
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
        amount = f"{number} {singular} is" if number == 1 else f"{number} {many} are"
        return f"at least {amount} needed here" if name == "min_length" else f"at most {amount} allowed here"
    text = _SUBJECT.sub("must ", _PREFIX.sub("", detail["msg"]))
    return text[:1].lower() + text[1:]
