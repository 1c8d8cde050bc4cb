"""Decoding of JSON and Base64 inside texts, in place and before mapping: some senders wrap their bodies in texts.

Amazon SNS posts its message as a text, Google Pub/Sub posts it in Base64, and a Lambda function gets records of SNS.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import pydantic

from router.domain.undecodable import Undecodable
from router.sources import reading
from router.yaml_source import suggestions

Codec = Literal["json", "base64"]
_CODECS: tuple[Codec, ...] = ("json", "base64")
Step = str | int | None
"""The name of a member, a position in a list, or None for each item of a list."""
Decoder = Callable[[Any, reading.Reading], Any]

_STEP = re.compile(r'\.?(?:([A-Za-z_][A-Za-z0-9_]*)|"((?:[^"\\]|\\.)+)"|\[(-?[0-9]{1,9})\]|\[\*?\])')

_decode = msgspec.json.Decoder().decode


def check(path: str) -> str:
    """Return a path of names and positions. Raises ``ValueError`` if it is anything else."""
    _steps(path)
    return path


def _expand_path(value: Any) -> Any:
    return {value: "json"} if isinstance(value, str) else value


def _codecs(value: Any) -> Any:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise ValueError(f"expected the names of encodings: {', '.join(_CODECS)}")
    for name in names:
        if name not in _CODECS:
            raise ValueError(f'"{name}" is not an encoding{suggestions.hint(str(name), _CODECS)}')
    return names


Codecs = Annotated[
    tuple[Codec, ...],
    pydantic.BeforeValidator(_codecs, json_schema_input_type=Codec | list[Codec]),
]
Encoded = Annotated[
    dict[Annotated[str, pydantic.AfterValidator(check)], Codecs],
    pydantic.BeforeValidator(_expand_path, json_schema_input_type=str | dict[str, Codec | list[Codec]]),
]


def decoder(codecs_of_paths: Mapping[str, Sequence[Codec]]) -> Decoder | None:
    """Build the function that decodes a body's texts, in the order of ``codecs_of_paths``. None if there are no codecs.

    The function changes the body. A text that can't be decoded stays unchanged and is reported. Other values than texts
    stay unchanged.
    """
    if not codecs_of_paths:
        return None
    parts = [(path, _steps(path), codecs) for path, codecs in codecs_of_paths.items()]

    def decode(body: Any, delivery: reading.Reading) -> Any:
        # A later path may lead into a value that an earlier one has decoded.
        for path, steps, codecs in parts:
            # Paths begin at one alert, even if the body is a list of alerts.
            of_each = isinstance(body, list) and isinstance(steps[0], str)
            body = _replace(body, [None, *steps] if of_each else steps, _make_opener(path, codecs, delivery))
        return body

    return decode


def _steps(path: str) -> list[Step]:
    steps: list[Step] = []
    end = 0
    while end < len(path):
        match = _STEP.match(path, end)
        if match is None or (end == 0 and path.startswith(".")):
            break
        name, quoted, position = match.groups()
        steps.append(name or quoted or (int(position) if position else None))
        end = match.end()
    if not steps or end < len(path):
        raise ValueError(
            f'"{path}" is not a path of names and positions, such as message.data or Records[].Sns.Message'
        )
    return steps


def _replace(node: Any, steps: Sequence[Step], change: Callable[[str], Any]) -> Any:
    if not steps:
        return change(node) if isinstance(node, str) and node else node
    step, rest = steps[0], steps[1:]
    if isinstance(node, dict) and isinstance(step, str) and step in node:
        node[step] = _replace(node[step], rest, change)
    if isinstance(node, list) and not isinstance(step, str):
        positions = (
            range(len(node)) if step is None else range(step, step + 1) if -len(node) <= step < len(node) else ()
        )
        for position in positions:
            node[position] = _replace(node[position], rest, change)
    return node


def _make_opener(path: str, codecs: Sequence[Codec], delivery: reading.Reading) -> Callable[[str], Any]:
    def decode_text(text: str) -> Any:
        value: Any = text
        for codec in codecs:
            try:
                value = _json(value) if codec == "json" else _from_base64(value)
            except (ValueError, *Undecodable):
                delivery.note("field_ignored", path, f"the text is not {codec}; it is used as it is")
                # The mapping may still find something in the text. Refusing the body would lose the alert.
                return text
        return value

    return decode_text


def _json(text: str) -> Any:
    """Decode a text as JSON if it is an object or a list; return any other text unchanged."""
    value = _decode(text.encode())
    # A text such as "42" or "null" is more likely meant as text.
    return value if isinstance(value, dict | list) else text


def _from_base64(text: str) -> str:
    """Decode Base64 in either alphabet, with or without padding."""
    # Some encoders break lines, omit the padding, or use the alphabet for URLs.
    plain = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
