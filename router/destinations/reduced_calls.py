"""Repeats a refused call without the field that the vendor refuses, so that an incident opens with less detail.

The vendor names the field in its error envelope, and the call is repeated without it. If the vendor names no field, or
one that is needed, the call is repeated with only the needed fields. The omitted fields are reported.

    POST {name, severity_id, custom_field_entries: [a, b]}   422 custom_field_entries.1.value: not a member
    POST {name, severity_id, custom_field_entries: [a]}      200
"""

import re
import uuid
from collections.abc import Awaitable, Collection
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from router.domain import operations
from router.outbound import client, errors

Found = TypeVar("Found")

_MAX_REPEATS = 3
_REFUSALS = frozenset({400, 404, 413, 422})
_NOTIFY = "notify_subscribers"
_PARTING = re.compile(r"[./\[\]]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass
class ReducibleCall:
    """Calls of one operation. ``omitted`` collects the omitted fields.

    ``is_repeated``: the same call was made before with an unknown outcome, so it must not change. ``suspects`` are
    fields that may cause a 404 without a named field. ``needed`` are optional fields without which the call would have
    another meaning, such as the status of a resolution: they are never omitted.
    """

    http: client.Client
    is_repeated: bool = False
    suspects: Collection[str] = ()
    needed: Collection[str] = ()
    omitted: list[operations.Omission] = field(default_factory=list)

    async def call(self, method: str, path: str, body: Any) -> client.VendorResponse:
        """Make the call, with fewer fields if the vendor refuses it. Raises the last refusal."""
        for repeat in range(_MAX_REPEATS + 1):
            try:
                return await self.http.call(method, path, json=body)
            except errors.Permanent as problem:
                # A changed body under the same idempotency key could create a second object.
                if self.is_repeated or repeat == _MAX_REPEATS or problem.status not in _REFUSALS:
                    raise
                less = self._without(body, problem)
                if less is None:
                    raise
                # Vendors refuse a repeated key with another body, so the smaller body gets its own key.
                body = rekey(less)
        raise AssertionError("the last repeat answers or raises")

    def _without(self, body: Any, problem: errors.Permanent) -> Any | None:
        """Return the body without what the vendor refuses; None if nothing can be omitted."""
        path = _path(problem.field)
        # Omitting only the field that the vendor names keeps the most detail.
        less = self._drop(body, path) if path else None
        # Without this field, the call would have another meaning, so the refusal is final.
        if less is None and self._is_needed(body, path):
            return None
        # Plans without subscribers refuse the flag and name it only in the message.
        if less is None and "subscriber" in problem.message.lower():
            less = self._drop(body, [_NOTIFY])
        # A 404 may mean that an ID in the body doesn't exist, which the vendor doesn't name.
        if less is None and isinstance(problem, errors.NotFound):
            less = next((reduced for name in self.suspects if (reduced := self._drop(body, [name])) is not None), None)
            # The object itself doesn't exist, so no field is at fault.
            if less is None:
                return None
        # The refusal names no field that can be omitted: an incident with few fields is better than none.
        if less is None:
            less = self._minimal(body)
        if less is None:
            return None
        for name in _list_differing(body, less):
            self.omitted.append(
                operations.Omission(name, "refused", f"omitted, because the vendor refused it: {problem}")
            )
        return less

    def _drop(self, body: Any, path: list[str]) -> Any | None:
        """Return the body without a field, or without one entry of a list; None if the field isn't set or is needed."""
        if not path or not isinstance(body, msgspec.Struct) or path[0] not in body.__struct_fields__:
            return None
        name, *rest = path
        value = getattr(body, name)
        if isinstance(value, msgspec.Struct):
            inner = self._drop(value, rest)
            return None if inner is None else msgspec.structs.replace(body, **{name: inner})
        # One bad entry doesn't cost the whole list.
        if isinstance(value, list) and rest and rest[0].isdigit() and int(rest[0]) < len(value) and len(value) > 1:
            entries = [entry for at, entry in enumerate(value) if at != int(rest[0])]
            return msgspec.structs.replace(body, **{name: entries})
        # The flag has no "not set" value. False means the same to the vendor.
        if name == _NOTIFY:
            return msgspec.structs.replace(body, **{name: False}) if value else None
        spare = self._spare(body)
        return msgspec.structs.replace(body, **{name: spare[name]}) if name in spare and value != spare[name] else None

    def _is_needed(self, body: Any, path: list[str]) -> bool:
        """Return whether a field can't be omitted, including names that aren't fields of the body."""
        return bool(path) and path[0] in getattr(body, "__struct_fields__", ()) and path[0] not in self._spare(body)

    def _minimal(self, body: Any) -> Any | None:
        """Return the body with only the needed fields; None if it has no others."""
        if not isinstance(body, msgspec.Struct):
            return None
        spare = {name: value for name, value in self._spare(body).items() if getattr(body, name) != value}
        return msgspec.structs.replace(body, **spare) if spare else None

    def _spare(self, body: msgspec.Struct) -> dict[str, Any]:
        """Return the fields of a body that can be omitted, with their values for "not set"."""
        field_infos = msgspec.structs.fields(type(body))
        return {
            info.name: info.default
            for info in field_infos
            if info.default is not msgspec.NODEFAULT and info.name not in self.needed
        }


async def find_or_omit(lookup: Awaitable[Found], field_name: str, omitted: list[operations.Omission]) -> Found | None:
    """Look up an optional name. If the vendor doesn't know it, return None and add it to ``omitted``."""
    try:
        return await lookup
    except errors.Permanent as problem:
        if problem.status:  # The vendor refused the list itself.
            raise
        omitted.append(operations.Omission(field_name, "left_out", f"left out: {problem}"))
        return None


def _path(dotted: str) -> list[str]:
    """Split a field name of a vendor into its parts: ``custom_field_entries[1].id``, ``/name``, ``monitorId``."""
    parts = [part for part in _PARTING.split(dotted) if part and part not in {"body", "$"}]
    return [_CAMEL.sub("_", part).lower() for part in parts]


def _list_differing(before: Any, after: Any) -> list[str]:
    """Return the fields that differ, by their own names if they are nested."""
    names: list[str] = []
    for name in before.__struct_fields__:
        first, second = getattr(before, name), getattr(after, name)
        if first != second:
            names += _list_differing(first, second) if isinstance(first, msgspec.Struct) else [name]
    return names


def rekey(body: Any) -> Any:
    """Return the body with another idempotency key, which is a function of the body.

    Vendors refuse a known key with another body, and some repeat their first refusal. Nothing was created under the
    first key, because its call was refused.
    """
    if not isinstance(body, msgspec.Struct) or "idempotency_key" not in body.__struct_fields__:
        return body
    key = uuid.UUID(body.idempotency_key)  # type: ignore[attr-defined]
    rest = msgspec.json.encode(body, order="sorted").decode()
    return msgspec.structs.replace(body, idempotency_key=str(uuid.uuid5(key, rest)))
