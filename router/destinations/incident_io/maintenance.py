"""Reads incident.io's maintenance windows as silences: alerts that a window covers open no incident.

A window covers the alerts that match one of its groups of conditions. A condition is about an attribute of the alert,
which the configuration maps to a label:

    Service is one of [Checkout API], Environment is set       service=~"Checkout API|01CAT…", environment!=""

A window that can't be read completely mutes nothing: without one of its conditions, it would mute too much.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from router.destinations import list_rows
from router.destinations.incident_io import account, wire
from router.domain import times
from router.domain.silences import Imported, Matcher, Silence
from router.outbound import call_policy, client

PATH = "/v1/maintenance_windows"
PAGE_SIZE = 100
_AUTHOR = "incident.io's maintenance"
_SPARING = 0.4  # The part of the account's quota that is left for more urgent calls.


class InvalidWindow(ValueError):
    """A window can't be converted to a silence. The text says why."""


class Value(msgspec.Struct, frozen=True):
    """One value of a condition: the value to compare, and its display name."""

    literal: str | None = None
    label: str | None = None


class Binding(msgspec.Struct, frozen=True):
    """The values that a condition compares with."""

    array_value: list[Value] | None = None
    value: Value | None = None


class DisplayValue(msgspec.Struct, frozen=True):
    """An operation (``value``), or the subject of a condition (``reference``), with its display name."""

    label: str = ""
    value: str = ""
    reference: str = ""


class WindowCondition(msgspec.Struct, frozen=True):
    """The vendor's ``ConditionV2``."""

    operation: DisplayValue
    subject: DisplayValue
    param_bindings: list[Binding] = []


class WindowConditions(msgspec.Struct, frozen=True):
    """Conditions that must all hold."""

    conditions: list[WindowCondition]


class MaintenanceWindow(msgspec.Struct, frozen=True):
    """The vendor's ``MaintenanceWindowV1``."""

    id: str
    name: str
    start_at: wire.Moment
    end_at: wire.Moment
    alert_condition_groups: list[WindowConditions]
    archived_at: Any = None
    escalation_targets: list[Any] | None = None


async def read_silences(http: client.Client, name: str, labels: Mapping[str, str]) -> Imported:
    """Return the active and upcoming windows as silences. Raises ``errors.Failure`` if the call fails.

    ``labels`` maps the vendor's attribute names to labels. Unreadable windows are skipped, with the reason.
    """
    http = http.within(call_policy.CallBudget(_SPARING))
    windows: dict[str, MaintenanceWindow] = {}
    # In this order, a window that starts between the two requests is in both responses instead of neither.
    for status in ("upcoming", "active"):
        query: dict[str, str | int | list[str]] = {"status": status, "page_size": PAGE_SIZE}
        async for answer in account.list_pages(http, PATH, wire.Windows, query):
            read = list_rows.parse_rows(answer.maintenance_windows, MaintenanceWindow, "maintenance window")
            windows.update((window.id, window) for window in read if not window.archived_at)
    silences: list[Silence] = []
    skipped: dict[str, str] = {}
    for window in windows.values():
        try:
            silences += _silences(window, name, labels)
        except InvalidWindow as problem:
            skipped[window.id] = f"{window.name}: {problem}"
    return Imported(silences, skipped)


def _silences(window: MaintenanceWindow, name: str, labels: Mapping[str, str]) -> list[Silence]:
    """Return a silence for each group of conditions."""
    if window.escalation_targets:
        raise InvalidWindow("its alerts are escalated to another person")
    groups = [group for group in window.alert_condition_groups if group.conditions]
    if not groups or len(groups) < len(window.alert_condition_groups):
        raise InvalidWindow("it has no conditions, and would mute every alert")
    return [
        Silence(
            window.id if len(groups) == 1 else f"{window.id}-{number}",
            tuple(matcher for condition in group.conditions for matcher in _matchers(condition, labels)),
            times.from_datetime(window.start_at),
            times.from_datetime(window.end_at),
            _AUTHOR,
            window.name,
            name,
        )
        for number, group in enumerate(groups, 1)
    ]


def _matchers(condition: WindowCondition, labels: Mapping[str, str]) -> list[Matcher]:
    label = labels.get(condition.subject.label)
    if label is None:
        raise InvalidWindow(f'no label is configured for the attribute "{condition.subject.label}"')
    make = _OPERATIONS.get(condition.operation.value)
    if make is None:
        raise InvalidWindow(f'the operation "{condition.operation.label or condition.operation.value}" can\'t be read')
    return make(label, condition)


def _one_of(label: str, condition: WindowCondition) -> list[Matcher]:
    return [Matcher(label, "=~", _any_of(condition))]


def _not_one_of(label: str, condition: WindowCondition) -> list[Matcher]:
    # Alerts without the label aren't covered: incident.io doesn't document whether they are.
    return [Matcher(label, "!=", ""), Matcher(label, "!~", _any_of(condition))]


def _is_set(label: str, _condition: WindowCondition) -> list[Matcher]:
    return [Matcher(label, "!=", "")]


def _any_of(condition: WindowCondition) -> str:
    values = [
        value
        for binding in condition.param_bindings
        for value in [*(binding.array_value or ()), *([binding.value] if binding.value else [])]
    ]
    # An alert's label may have the value's display name or its ID, so the pattern matches both.
    texts = dict.fromkeys(text for value in values for text in (value.label, value.literal) if text)
    if not texts:
        raise InvalidWindow(f'the condition on "{condition.subject.label}" has no values')
    return "|".join(_escape(text) for text in texts)


def _escape(text: str) -> str:
    """Return a pattern that matches only this text."""
    return "".join(f"\\{letter}" if letter.isascii() and not letter.isalnum() else letter for letter in text)


_OPERATIONS: Mapping[str, Callable[[str, WindowCondition], list[Matcher]]] = {
    "one_of": _one_of,
    "not_one_of": _not_one_of,
    "is_set": _is_set,
}
