"""The settings that a file or its folder defines for all of its rules: ``defaults``, ``lists``, and so on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from router.domain import decisions, recurrence
from router.rules import inhibitions, model


@dataclass(frozen=True, slots=True)
class Defaults:
    """The settings that rules inherit. ``fields`` are, by destination, the fields that a rule doesn't set."""

    shared: model.CommonFields = model.NO_COMMON_FIELDS
    publish: decisions.Publish = "review"
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict)
    times: Mapping[str, tuple[recurrence.Interval, ...]] = field(default_factory=dict)
    label_inhibitions: tuple[inhibitions.Inhibition, ...] = ()
