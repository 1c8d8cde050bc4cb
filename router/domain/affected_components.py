"""Finds the components of a page that an incident's alerts affect, as a rule's ``components_from`` maps them.

The fold records what each alert affects. The worker derives from the incident what a page should show.
"""

from collections.abc import Mapping

from router.domain import alerts, decisions, incidents, severities

WELL = "operational"
"""The status of a component once none of its alerts fires."""

_PARTS = frozenset({"labels", "annotations"})


def find_affected(routed: decisions.Routed) -> tuple[tuple[str, str], ...]:
    """Return what an alert affects, as pairs of a destination and a component there."""
    response = routed.decision.response
    if response is None or not response.targets:
        return ()
    return tuple(
        (target.destination, part[text])
        for target in response.targets
        for field, part in target.parts.items()
        if (text := _read(routed.alert, response, field)) in part
    )


def current_severities(incident: incidents.Incident) -> dict[tuple[str, str], severities.Severity]:
    """Return what the firing alerts affect now, each with the worst severity of its alerts."""
    worst: dict[tuple[str, str], severities.Severity] = {}
    if incident.response is None or not any(target.parts for target in incident.response.targets):
        return worst
    for state in incident.alerts.values():
        if not state.resolved:
            for part in state.affects:
                worst[part] = max(state.severity, worst.get(part, state.severity))
    return worst


def worst_severities(incident: incidents.Incident) -> dict[tuple[str, str], severities.Severity]:
    """Return what the incident's alerts affect or have affected, each with the worst severity of its alerts."""
    worst: dict[tuple[str, str], severities.Severity] = {}
    for state in incident.alerts.values():
        for part in state.affects:
            worst[part] = max(state.severity, worst.get(part, state.severity))
    return worst


def build_statuses(
    incident: incidents.Incident, target: decisions.Target, fixed: object, last: object
) -> dict[str, str]:
    """Return the severity's name or the status to send to a page for each component.

    ``fixed`` are the components that the rule names for the whole incident, with or without statuses. ``last`` is what
    was last sent: other components in it that no firing alert affects are operational again. If no alert fires at all,
    they keep their statuses, because the end of the incident resets them.
    """
    if isinstance(fixed, Mapping):
        statuses = {str(name): str(status) for name, status in fixed.items()}
    else:
        statuses = dict.fromkeys(map(str, fixed if isinstance(fixed, list | tuple) else ()), incident.severity.word)
    # A retrospective post names the components that were affected during the incident.
    parts = worst_severities(incident) if incident.status == "closed" else current_severities(incident)
    firing = {name: worst.word for (place, name), worst in parts.items() if place == target.destination}
    named_components = {name for of_field in target.parts.values() for name in of_field.values()}
    last_statuses = last if isinstance(last, Mapping) else {}
    before = {name: str(status) for name, status in last_statuses.items() if name in named_components}
    if incident.quiet is None:
        before = dict.fromkeys(before, WELL)
    return before | firing | statuses


def _read(alert: alerts.Alert, response: decisions.Response, field: str) -> str:
    """Return a field by its name in rule files. Labels that the rule sets take precedence over those of the alert."""
    part, _, key = field.partition(".")
    if part not in _PARTS:
        return str(getattr(alert, field, ""))
    if part == "annotations":
        return alert.annotations.get(key, "")
    return response.labels.get(key) or alert.labels.get(key, "")
