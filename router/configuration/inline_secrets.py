"""Finds secrets that are written in the configuration file instead of referenced."""

from collections.abc import Iterator, Mapping
from typing import Any

import pydantic

Path = tuple[str | int, ...]


def paths(value: Any, entry: Any, at: Path = ()) -> Iterator[Path]:
    """Yield the path of each secret that ``entry``, read from the file, contains as text.

    ``value`` is the setting that was built from the entry.
    """
    match value:
        # A reference is a mapping in the file, so a secret that is a text there was written into it.
        case pydantic.SecretStr() if isinstance(entry, str) and entry:
            yield at
        case pydantic.BaseModel() if isinstance(entry, Mapping):
            for name, field in type(value).model_fields.items():
                # The file has the alias, such as `from`, which can't be a name in Python.
                key = field.alias or name
                yield from paths(getattr(value, name), entry.get(key), (*at, key))
        case Mapping() if isinstance(entry, Mapping):
            for key, inner in value.items():
                yield from paths(inner, entry.get(key), (*at, key))
        case tuple() | list() if isinstance(entry, list):
            # An entry that combines several others has no position in the file.
            for index, inner in enumerate(value if len(value) == len(entry) else ()):
                yield from paths(inner, entry[index], (*at, index))
