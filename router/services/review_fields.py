"""Checks the fields that a reviewer wrote: whether they are valid, and whether they should be published."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pydantic

from router import configuration
from router.destinations import registry, rule_fields
from router.rules import leak_guard


class InvalidField(NamedTuple):
    """An invalid field of a request, and the error. ``path`` is in pydantic's format."""

    path: tuple[str | int, ...]
    detail: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))}: {self.detail}"


def find_invalid(settings: configuration.Settings, destination: str, fields: Mapping[str, Any]) -> list[InvalidField]:
    """Return the errors in the fields that a reviewer wrote for a destination; none if they are valid."""
    config = settings.destinations[destination]
    try:
        # The vendor's own model checks the fields, so a reviewer sees the same errors as an author of rules.
        rule_fields.parse(registry.KINDS[config.kind].opening, config, fields)
    except pydantic.ValidationError as error:
        return [InvalidField(field_error["loc"], field_error["msg"]) for field_error in error.errors(include_url=False)]
    return []


def find_objections(settings: configuration.Settings, fields: Mapping[str, Any]) -> list[str]:
    """Return the objections to publishing the fields that a reviewer wrote. The reviewer makes the final decision."""
    hosts = settings.pages.allowed_hosts
    return [
        f"{name}: {objection}" for name, text in fields.items() for objection in leak_guard.objections(str(text), hosts)
    ]
