"""Checks names at the vendors, the reachability of Alertmanagers, and which labels recorded deliveries have."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec
import pydantic

from router import configuration
from router.bootstrap import alertmanager_polls, factories
from router.outbound import errors
from router.rules import lint_warnings, model, ruleset, templates
from router.store import archive
from router.worker import configured_destinations, double_reports

_REPEATING = frozenset({"alertmanager", "grafana", "prometheus"})
"""Kinds that send an alert again and again while it fires."""
_TIMESTAMPS = "incident_timestamps"
_NAMING = (
    "page",
    "components",
    "severity",
    "incident_type",
    "status",
    "custom_field_entries",
    "incident_role_assignments",
    "escalation",
    _TIMESTAMPS,
)
"""The fields that name something at a vendor."""


class VendorProblem(NamedTuple):
    """An error that a vendor reports about a rule or the configuration."""

    rule: model.Rule | None
    text: str
    level: Literal["error", "warning"] = "error"


async def ask_vendors(settings: configuration.Settings, rules: ruleset.RuleSet) -> list[VendorProblem]:
    """Look up every name of the configuration and the rules. Return the missing names, each with its rule.

    Channels through which one vendor reports incidents to another vendor are warnings.
    """
    at = factories.places(settings)
    try:
        answers: list[VendorProblem] = []
        for name, place in at.items():
            # Without fields, the vendor checks only the destination. These problems are reported once, not for each
            # rule.
            own_problems = await _find_problems(place, {})
            answers += [VendorProblem(None, f"{name}: {problem}") for problem in own_problems]
            seen: dict[bytes, list[str]] = {}
            for rule, fields in _find_names(rules, name):
                # Many rules name the same things. Each combination is looked up once, which spares the vendor's rate
                # limit.
                key = msgspec.json.encode(fields, order="sorted")
                if key not in seen:
                    seen[key] = [
                        problem for problem in await _find_problems(place, fields) if problem not in own_problems
                    ]
                answers += [VendorProblem(rule, f"{name}: {problem}") for problem in seen[key]]
        answers += [VendorProblem(None, problem) for problem in await alertmanager_polls.problems(settings)]
        return answers + [
            VendorProblem(None, problem, "warning") for problem in await double_reports.find(at, _pages(rules))
        ]
    finally:
        # Each destination holds an HTTP client, which stays open if a lookup fails otherwise.
        for place in at.values():
            await place.destination.aclose()


def _pages(rules: ruleset.RuleSet) -> set[str]:
    """Return the pages that rules name."""
    pages = (target.fields.get("page") for rule in rules.rules for target in rule.targets)
    return {page for page in pages if isinstance(page, str)}


async def _find_problems(place: configured_destinations.ConfiguredDestination, fields: Mapping[str, Any]) -> list[str]:
    try:
        return await place.destination.check(fields)
    # A vendor that can't be reached is a problem like any other: the other destinations are still checked.
    except errors.Failure as failure:
        return [failure.message]


def _find_names(rules: ruleset.RuleSet, destination: str) -> Iterator[tuple[model.Rule, dict[str, Any]]]:
    """Return the rules that name something at the destination. Names from templates can't be checked in advance."""
    for rule in rules.rules:
        for target in rule.targets:
            naming_fields = {key: value for key, value in target.fields.items() if key in _NAMING}
            # `components_from` names components in a mapping of label values instead of in `components`.
            if target.parts:
                mapped = [name for of_field in target.parts.values() for name in of_field.values()]
                naming_fields["components"] = [*(naming_fields.get("components") or ()), *mapped]
            if isinstance(naming_fields.get(_TIMESTAMPS), Mapping):  # The names are literals; the values are templates.
                naming_fields[_TIMESTAMPS] = list(naming_fields[_TIMESTAMPS])
            literal = {
                key: literal_value
                for key, value in naming_fields.items()
                if (literal_value := _literal(value)) is not None
            }
            if target.destination == destination and literal:
                yield rule, literal


def _literal(value: Any) -> Any:
    """Return a value without its templates; None if the value is a template."""
    if isinstance(value, str):
        # A template has its value only when an alert fires.
        return None if templates.is_template(value) else value
    if isinstance(value, Mapping):
        return {key: literal_value for key, inner in value.items() if (literal_value := _literal(inner)) is not None}
    if isinstance(value, list | tuple):
        return [literal_value for inner in value if (literal_value := _literal(inner)) is not None]
    return value


async def read_labels(delivery_archive: archive.Archive, limit: int) -> set[str]:
    """Return the names of all labels in the newest deliveries."""
    return {
        name
        for archived in await delivery_archive.newest(limit)
        for row in archived.delivery.rows
        for name in row.alert.labels
    }


def make_lint_context(settings: configuration.Settings, labels: set[str]) -> lint_warnings.LintContext:
    """Return the context that rules are linted against."""
    repeating = tuple(name for name, source in settings.sources.items() if source.kind in _REPEATING)
    limits = {
        name: _limits(known_destination.opening)
        for name, known_destination in factories.known_destinations(settings).items()
    }
    return lint_warnings.LintContext(tuple(settings.sources), frozenset(labels), repeating, limits)


def _limits(opening: type[pydantic.BaseModel]) -> dict[str, int]:
    """Return the maximum length in characters of each field that has one."""
    limits = {}
    for name, field in opening.model_json_schema()["properties"].items():
        max_lengths = [schema["maxLength"] for schema in (field, *field.get("anyOf", ())) if "maxLength" in schema]
        limits.update({name: max_lengths[0]} if max_lengths else {})
    return limits
