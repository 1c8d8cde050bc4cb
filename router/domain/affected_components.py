"""Which components of a page the alerts of an incident affect, one by one: what a rule's ``components_from`` says.

The fold notes for each alert what it affects; the worker reads off the incident what a page should show of it.
"""

from collections.abc import Mapping

from router.domain import alerts, decisions, incidents, severities

WELL = "operational"
"""What a component is said to be once none of its alerts fires any more."""

_PARTS = frozenset({"labels", "annotations"})


def by(routed: decisions.Routed) -> tuple[tuple[str, str], ...]:
    """What an alert affects: pairs of a destination and a component there."""
    response = routed.decision.response
    if response is None or not response.targets:
        return ()
    return tuple(
        (target.destination, named[text])
        for target in response.targets
        for field, named in target.parts.items()
        if (text := _read(routed.alert, response, field)) in named
    )


def now(incident: incidents.Incident) -> dict[tuple[str, str], severities.Severity]:
    """What the alerts that fire affect now, each with the worst severity of its alerts."""
    found: dict[tuple[str, str], severities.Severity] = {}
    if incident.response is None or not any(target.parts for target in incident.response.targets):
        return found
    for state in incident.alerts.values():
        if not state.resolved:
            for part in state.affects:
                found[part] = max(state.severity, found.get(part, state.severity))
    return found


def ever(incident: incidents.Incident) -> dict[tuple[str, str], severities.Severity]:
    """What the incident's alerts affect or have affected, each with the worst severity of its alerts."""
    found: dict[tuple[str, str], severities.Severity] = {}
    for state in incident.alerts.values():
        for part in state.affects:
            found[part] = max(state.severity, found.get(part, state.severity))
    return found


def shown(incident: incidents.Incident, target: decisions.Target, fixed: object, last: object) -> dict[str, str]:
    """What a page is told of its components: a severity's word or a status for each.

    ``fixed`` are those that the rule names for as long as the incident lasts, with their statuses or without. Of the
    others, those that were told ``last`` and have no alert that fires are well again; while nothing fires at all they
    stay as they are, for the end of the incident sets them back.
    """
    if isinstance(fixed, Mapping):
        said = {str(name): str(status) for name, status in fixed.items()}
    else:
        said = dict.fromkeys(map(str, fixed if isinstance(fixed, list | tuple) else ()), incident.severity.word)
    # Of what is over and was never shown, customers read what was affected meanwhile.
    parts = ever(incident) if incident.status == "closed" else now(incident)
    firing = {name: worst.word for (place, name), worst in parts.items() if place == target.destination}
    named = {name for of_field in target.parts.values() for name in of_field.values()}
    told = last if isinstance(last, Mapping) else {}
    before = {name: str(status) for name, status in told.items() if name in named}
    if not incident.quiet_since:
        before = dict.fromkeys(before, WELL)
    return before | firing | said


def _read(alert: alerts.Alert, response: decisions.Response, field: str) -> str:
    """A field by its name in rule files; labels that the rule sets stand over those of the alert."""
    part, _, key = field.partition(".")
    if part not in _PARTS:
        return str(getattr(alert, field, ""))
    if part == "annotations":
        return alert.annotations.get(key, "")
    return response.labels.get(key) or alert.labels.get(key, "")
